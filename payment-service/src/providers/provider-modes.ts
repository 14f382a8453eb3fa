import type { FastifyBaseLogger } from 'fastify';
import type { Mode } from 'service-kit/contract/mode.ts';
import type { Provider } from 'service-kit/contract/notification.ts';

/** Which providers send for real, as their services report it. */
export interface ProviderModes {
  /** The latest report; null until there is one. */
  of(provider: Provider): Mode | null;
  /** Learns from a report, or an answer to a send; undefined if that had no mode. */
  learn(provider: Provider, mode: Mode | undefined): void;
  /** Counts the provider as live until it reports its mode: it was before this process started. */
  presumeLive(provider: Provider): void;
  /** Whether a sandbox must not accept an SMS, because a provider is live. */
  isLiveOnly(): boolean;
}

export interface ProviderModesOptions {
  /** ALLOW_MIXED_MODES: a sandbox beside a live provider accepts SMS. */
  allowMixed: boolean;
  log: FastifyBaseLogger;
}

/**
 * How long both must have been sandboxes after one was live, in ms: while a service changes its mode, its replicas report
 * both in turn.
 */
const liveForMs = 60_000;

export function createProviderModes({ allowMixed, log }: ProviderModesOptions): ProviderModes {
  const modes: Record<Provider, Mode | null> = { Aldeamo: null, Twilio: null };
  const presumed = new Set<Provider>();
  let liveAt = Number.NEGATIVE_INFINITY;
  const isLive = (provider: Provider) => (modes[provider] ?? (presumed.has(provider) && 'live')) === 'live';

  function logChange(wereMixed: boolean): void {
    const fields = { modes: { ...modes } };
    if (!areMixed(modes)) {
      if (wereMixed) log.info(fields, 'the providers are in one mode again');
    } else if (allowMixed)
      log.warn(
        fields,
        'one provider is live and the other a sandbox: what the sandbox accepts is not sent, as ALLOW_MIXED_MODES allows',
      );
    else
      log.error(
        fields,
        'one provider is live and the other a sandbox: there is no failover, and what the live one does not send waits',
      );
  }

  return {
    of: (provider) => modes[provider],
    learn(provider, mode) {
      if (mode === undefined) return;
      if (mode === 'live') liveAt = performance.now();
      if (mode === modes[provider]) return;
      const wereMixed = areMixed(modes);
      modes[provider] = mode;
      logChange(wereMixed);
    },
    presumeLive: (provider) => void presumed.add(provider),
    isLiveOnly() {
      if (allowMixed) return false;
      return isLive('Aldeamo') || isLive('Twilio') || performance.now() - liveAt < liveForMs;
    },
  };
}

/** Whether one provider is live and the other a sandbox. */
export const areMixed = ({ Aldeamo, Twilio }: Record<Provider, Mode | null>): boolean =>
  Aldeamo !== null && Twilio !== null && Aldeamo !== Twilio;
