import type { Outcome, Provider, ReceiptWay } from '../contract/notification.ts';
import type { Problem } from '../http/problem.ts';
import { providerProblem } from './provider-problems.ts';

type NotAccepted = Exclude<Outcome, { outcome: 'accepted' }>;

export const gatewayTimeout = { outcome: 'unknown', reason: 'gateway_timeout' } as const satisfies Outcome;

/**
 * The ways of the receipts are the gateway's present ones, not stored with the outcome, because it is now that receipts are awaited.
 *
 * @throws Problem unless the SMS was accepted
 */
export function replyTo(provider: Provider, outcome: Outcome, receipts: readonly ReceiptWay[]) {
  if (outcome.outcome !== 'accepted') throw problemOfOutcome(outcome);
  const { message_id, mode } = outcome;
  return { provider, status: 'sent' as const, message_id, receipts: [...receipts], ...(mode && { mode }) };
}

/** The outcome, the reason and that the outcome is the notification's are members of the problem document. */
export function problemOfOutcome(outcome: NotAccepted): Problem {
  const { retry_after_ms, ...members } = { retry_after_ms: undefined, ...outcome };
  const headers: Record<string, string> =
    retry_after_ms === undefined ? {} : { 'retry-after': String(Math.ceil(retry_after_ms / 1000)) };
  return providerProblem(nameOf(outcome), { ...members, outcome_of: 'notification', headers });
}

function nameOf(outcome: NotAccepted) {
  switch (outcome.outcome) {
    case 'rejected':
      return 'notification-rejected';
    case 'not_sent':
      return outcome.retry_after_ms === undefined ? 'notification-not-sent' : 'notification-throttled';
    case 'unknown':
      return outcome.reason === gatewayTimeout.reason ? 'notification-timeout' : 'notification-unknown';
  }
}
