import type { Outcome, Provider } from '../contract/notification.ts';
import { Problem } from '../http/problem.ts';

type NotTaken = Exclude<Outcome, { outcome: 'accepted' }>;

export const gatewayTimeout = { outcome: 'unknown', reason: 'gateway_timeout' } as const satisfies Outcome;

/** What POST /notify answers: that it was sent, or by throwing the Problem that says why not. */
export function replyTo(provider: Provider, outcome: Outcome) {
  if (outcome.outcome !== 'accepted') throw problemOfOutcome(outcome);
  return { provider, status: 'sent' as const, message_id: outcome.message_id };
}

/** What POST /notify answers when the SMS was not taken: a problem with the outcome and the reason as members. */
export function problemOfOutcome(outcome: NotTaken): Problem {
  const { retry_after_ms, ...members } = { retry_after_ms: undefined, ...outcome };
  const headers: Record<string, string> =
    retry_after_ms === undefined ? {} : { 'retry-after': String(Math.ceil(retry_after_ms / 1000)) };
  const status = statusOf(outcome);
  return new Problem(status, `notification-${outcome.outcome.replace('_', '-')}`, details[outcome.outcome], {
    ...members,
    headers,
  });
}

function statusOf(outcome: NotTaken): number {
  switch (outcome.outcome) {
    case 'rejected':
      return 422;
    case 'not_sent':
      return outcome.retry_after_ms === undefined ? 503 : 429;
    case 'unknown':
      return outcome.reason === gatewayTimeout.reason ? 504 : 502;
  }
}

const details: Record<NotTaken['outcome'], string> = {
  rejected:
    'The provider will not send to this recipient. Another provider must not be used to get round it.',
  not_sent: 'The SMS was not sent. It can be sent through another provider, or later.',
  unknown: 'Nobody knows whether the SMS was sent.',
};
