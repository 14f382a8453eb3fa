import type { Outcome, Provider } from 'service-kit/contract/notification.ts';

/** The pauses that providers ask for with Retry-After. */
export interface Throttle {
  /** Starts a pause if the outcome asks for one. */
  heed(provider: Provider, outcome: Outcome): void;
  isPaused(provider: Provider): boolean;
  /** When the pause of the provider ends, in ms since the epoch; a time in the past if there is none. */
  endsAt(provider: Provider): number;
}

/**
 * A pause holds for every payment, because the provider's account is throttled and not one message. It lasts `maxMs` at most, so
 * that a wrong header does not stop a provider for days.
 */
export function createThrottle(maxMs: number): Throttle {
  const endsAt: Record<Provider, number> = { Aldeamo: 0, Twilio: 0 };
  return {
    heed(provider, outcome) {
      if (outcome.outcome !== 'not_sent' || outcome.retry_after_ms === undefined) return;
      const end = Date.now() + Math.min(outcome.retry_after_ms, maxMs);
      endsAt[provider] = Math.max(endsAt[provider], end);
    },
    isPaused: (provider) => Date.now() < endsAt[provider],
    endsAt: (provider) => endsAt[provider],
  };
}
