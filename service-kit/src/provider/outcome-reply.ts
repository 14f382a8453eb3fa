import type { Outcome, Provider, ReceiptWay } from '../contract/notification.ts';
import { Problem } from '../http/problem.ts';

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

/** The outcome and the reason are members of the problem document. */
export function problemOfOutcome(outcome: NotAccepted): Problem {
  const { retry_after_ms, ...members } = { retry_after_ms: undefined, ...outcome };
  const headers: Record<string, string> =
    retry_after_ms === undefined ? {} : { 'retry-after': String(Math.ceil(retry_after_ms / 1000)) };
  const status = statusOf(outcome);
  return new Problem(status, `notification-${outcome.outcome.replace('_', '-')}`, details[outcome.outcome], {
    ...members,
    headers,
  });
}

function statusOf(outcome: NotAccepted): number {
  switch (outcome.outcome) {
    case 'rejected':
      return 422;
    case 'not_sent':
      return outcome.retry_after_ms === undefined ? 503 : 429;
    case 'unknown':
      return outcome.reason === gatewayTimeout.reason ? 504 : 502;
  }
}

const details: Record<NotAccepted['outcome'], string> = {
  rejected:
    'The provider will not send to this recipient. That is final: the SMS must not be sent through another provider.',
  not_sent: 'The SMS was not sent. It can be sent through another provider, or later.',
  unknown: 'It is unknown whether the SMS was sent.',
};
