import { httpProblems } from '../http/http-problems.ts';
import { type ProblemKinds, problemMaker } from '../http/problem.ts';

/** The problems of every provider service. */
export const providerProblems = {
  ...httpProblems,
  'notification-rejected': {
    status: 422,
    detail:
      'The provider will not send to this recipient. That is final: the SMS must not be sent through another provider.',
    meaning: 'The outcome is `rejected`: the provider does not send to this recipient.',
    remedy: 'Do not send the SMS again, and not through another provider. `reason` says why.',
    members: { outcome: 'rejected', mode: 'live', outcome_of: 'notification', reason: 'opted_out' },
  },
  'notification-not-sent': {
    status: 503,
    detail: 'The SMS was not sent. It can be sent through another provider, or later.',
    meaning: 'The outcome is `not_sent`: the SMS was not sent.',
    remedy: 'Send it through another provider, or later with another key. `reason` says why.',
    members: { outcome: 'not_sent', mode: 'live', outcome_of: 'notification', reason: 'connection_refused' },
  },
  'notification-throttled': {
    status: 429,
    detail: 'The SMS was not sent. It can be sent through another provider, or later.',
    meaning: 'The outcome is `not_sent`: the provider is throttling.',
    remedy:
      'Send it through another provider, or with another key after the seconds in `Retry-After`. `reason` says why.',
    headers: { 'retry-after': '60' },
    members: { outcome: 'not_sent', mode: 'live', outcome_of: 'notification', reason: 'http_429' },
  },
  'notification-unknown': {
    status: 502,
    detail: 'It is unknown whether the SMS was sent.',
    meaning: 'The outcome is `unknown`: the SMS may have been sent.',
    remedy: 'Send it again only if it may arrive twice. `reason` says why.',
    members: { outcome: 'unknown', mode: 'live', outcome_of: 'notification', reason: 'http_500' },
  },
  'notification-timeout': {
    status: 504,
    detail: 'It is unknown whether the SMS was sent.',
    meaning: 'The outcome is `unknown`: the provider did not answer in time.',
    remedy:
      'Ask for the outcome later, by `DELETE /notify` with the same key. Until then the SMS may have been sent.',
    members: { outcome: 'unknown', mode: 'live', outcome_of: 'notification', reason: 'gateway_timeout' },
  },
  'notification-not-found': {
    status: 404,
    detail: 'No request with this Idempotency-Key is known.',
    meaning:
      'The key is unknown. If its request arrives later, it is not sent; if it was made less than `complete_for_ms` ago, it has not been sent before either.',
    remedy: 'Compare the age of the request with `complete_for_ms`.',
    members: { complete_for_ms: 86_400_000 },
  },
  'message-not-found': {
    status: 404,
    detail: 'The provider has no message with this id.',
    meaning: 'The provider has no such message.',
    remedy: 'Correct the id: it is the `message_id` of an SMS that this provider accepted.',
  },
  'receipts-unavailable': {
    status: 404,
    detail: 'The provider cannot be asked what became of an SMS.',
    meaning: 'The provider cannot be asked what became of an SMS, whatever the message.',
    remedy: 'Do not ask again.',
  },
  'messages-forbidden': {
    status: 403,
    detail: 'The provider refuses to be asked.',
    meaning: 'The provider refuses to be asked, whatever the message; see `reason`.',
    remedy: 'The operator gives the credentials the right to read messages.',
    members: { reason: 'http_403' },
  },
  'message-unanswered': {
    status: 502,
    detail: 'The provider did not answer.',
    meaning: 'The provider gave no answer that can be read; see `reason`.',
    remedy: 'Ask again later.',
    members: { reason: 'http_500' },
  },
  'message-timeout': {
    status: 504,
    detail: 'The provider did not answer in time.',
    meaning: 'The provider did not answer in time.',
    remedy: 'Ask again later.',
    members: { reason: 'gateway_timeout' },
  },
  'upstream-unhealthy': {
    status: 503,
    detail: "The provider's API is unhealthy.",
    meaning: "The provider's API is unhealthy, does not answer, or refuses the account; see `reason`.",
    remedy: 'If `account_refused` is true, the operator corrects the account or a setting. Otherwise wait.',
    members: { reason: 'http_503', account_refused: false, only_a_send_can_tell: false },
  },
  'idempotency-store-unavailable': {
    status: 503,
    detail: 'The idempotency store does not respond. Retry later.',
    meaning:
      'The database of the keys does not respond, so that no outcome is known and nothing new is sent.',
    remedy: 'Repeat the request with the same key after the seconds in `Retry-After`.',
    headers: { 'retry-after': '1' },
  },
} as const satisfies ProblemKinds;

export const providerProblem = problemMaker(providerProblems);
