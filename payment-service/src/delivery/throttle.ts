import type { Outcome, Provider } from 'service-kit/contract/notification.ts';
import { startWait, type Wait } from '../providers/wait.ts';

/** The pauses that providers ask for with Retry-After. */
export interface Throttle {
  /** Starts a pause if the outcome asks for one. */
  heed(provider: Provider, outcome: Outcome): void;
  isPaused(provider: Provider): boolean;
  /** What is left of the provider's pause, in ms; 0 if there is none. */
  remainingMs(provider: Provider): number;
  /** The wall time at which the provider's pause ends; null if there is none. */
  until(provider: Provider): string | null;
}

/** The longest pause, so that a wrong header, or a date by another clock, does not stop a provider for days. */
const longestPauseMs = 3_600_000;

/** A pause holds for every payment, because the provider's account is throttled and not one message. */
export function createThrottle(): Throttle {
  const pauses: Partial<Record<Provider, Wait>> = {};
  const remainingMs = (provider: Provider) => pauses[provider]?.remainingMs() ?? 0;
  const isPaused = (provider: Provider) => remainingMs(provider) > 0;
  return {
    heed(provider, outcome) {
      if (outcome.outcome !== 'not_sent' || outcome.retry_after_ms === undefined) return;
      const pauseMs = Math.min(outcome.retry_after_ms, longestPauseMs);
      if (pauseMs > remainingMs(provider)) pauses[provider] = startWait(pauseMs);
    },
    isPaused,
    remainingMs,
    until: (provider) => (isPaused(provider) ? (pauses[provider]?.wallTime() ?? null) : null),
  };
}
