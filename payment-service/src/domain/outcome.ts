import type { Outcome } from 'service-kit/contract/notification.ts';

export interface Consequences {
  /** Whether the other provider is asked. */
  failOver: boolean;
  /** What the circuit breaker learns about the provider. */
  breaker: 'success' | 'failure' | 'ignored';
  /** Where the notification stands if nobody else is asked. */
  status: 'sent' | 'failed' | 'pending';
}

/** What an attempt whose outcome nobody knows leads to: the SMS perhaps twice, or none until a person says so. */
export type UnknownOutcomePolicy = 'resend' | 'hold';

/** What follows from the outcome of an attempt. README.md has this as a table. */
export function consequencesOf(
  outcome: { outcome: Outcome['outcome']; no_outage?: boolean | undefined },
  unknownOutcome: UnknownOutcomePolicy = 'resend',
): Consequences {
  switch (outcome.outcome) {
    case 'accepted':
      return { failOver: false, breaker: 'success', status: 'sent' };
    case 'rejected':
      // The provider is well, and another provider must not be used to get round its no.
      return { failOver: false, breaker: outcome.no_outage ? 'ignored' : 'success', status: 'failed' };
    case 'not_sent':
      return { failOver: true, breaker: outcome.no_outage ? 'ignored' : 'failure', status: 'pending' };
    case 'unknown':
      return { failOver: unknownOutcome === 'resend', breaker: 'failure', status: 'pending' };
  }
}

/** Not asked: its circuit is open. */
export const circuitOpen = { outcome: 'not_sent', reason: 'circuit_open', no_outage: true } satisfies Outcome;

/** Not asked: it has asked to be left alone for a while. */
export const throttled = { outcome: 'not_sent', reason: 'throttled', no_outage: true } satisfies Outcome;
