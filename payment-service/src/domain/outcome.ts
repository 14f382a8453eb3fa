import type { Outcome, ReceiptStatus } from 'service-kit/contract/notification.ts';

export interface Consequences {
  /** Whether the next provider is called. */
  failOver: boolean;
  /** What the call counts as in the circuit breaker. */
  breaker: 'success' | 'failure' | 'ignored';
  /** The notification status if no other provider is called. */
  status: 'sent' | 'failed' | 'pending';
}

/** After an unknown outcome: `resend` may send the SMS twice; `hold` sends none until a person retries. */
export type UnknownOutcomePolicy = 'resend' | 'hold';

/** After an SMS that did not reach the handset: `resend` sends it once through the other provider; `fail` ends the notification. */
export type UndeliveredPolicy = 'resend' | 'fail';

/** What follows from the outcome of an attempt; docs/delivery.md has it as a table. */
export function consequencesOf(
  {
    outcome,
    no_outage,
    account_refused,
  }: {
    outcome: Outcome['outcome'];
    no_outage?: boolean | undefined;
    account_refused?: boolean | undefined;
  },
  unknownOutcome: UnknownOutcomePolicy = 'resend',
): Consequences {
  switch (outcome) {
    case 'accepted':
      return { failOver: false, breaker: 'success', status: 'sent' };
    case 'rejected':
      // A success: the provider works. A rejection is final, so that no other provider is used.
      return { failOver: false, breaker: no_outage ? 'ignored' : 'success', status: 'failed' };
    case 'not_sent':
      return {
        failOver: true,
        breaker: no_outage && !account_refused ? 'ignored' : 'failure',
        status: 'pending',
      };
    case 'unknown':
      return { failOver: unknownOutcome === 'resend', breaker: 'failure', status: 'pending' };
  }
}

/**
 * The notification status that follows from what a receipt says, if no other attempt may reach the customer; `pending` means that
 * another provider is to send. docs/delivery.md has it as a table.
 */
export function consequencesOfReceipt(
  status: ReceiptStatus,
  undelivered: UndeliveredPolicy,
): 'delivered' | 'pending' | 'failed' {
  switch (status) {
    case 'delivered':
      return 'delivered';
    case 'not_sent':
      return 'pending'; // no duplicate is possible
    case 'undelivered':
      return undelivered === 'resend' ? 'pending' : 'failed'; // the SMS may arrive after all
    case 'filtered': // another provider would be filtered, too: the text or the sender must change
    case 'refused':
      return 'failed';
  }
}

/** The provider was not called, because its circuit is open. */
export const circuitOpen = { outcome: 'not_sent', reason: 'circuit_open', no_outage: true } satisfies Outcome;

/** The provider was not called, because an operator holds it. */
export const providerHeld = {
  outcome: 'not_sent',
  reason: 'provider_held',
  no_outage: true,
} satisfies Outcome;

/** The provider was not called, because it asked for a pause (Retry-After). */
export const throttled = { outcome: 'not_sent', reason: 'throttled', no_outage: true } satisfies Outcome;
