import { httpProblems } from 'service-kit/http/http-problems.ts';
import { type ProblemKinds, problemMaker } from 'service-kit/http/problem.ts';

/** The problems of payment-service. */
export const paymentProblems = {
  ...httpProblems,
  'idempotency-key-in-use': {
    status: 409,
    detail: 'The first request with this Idempotency-Key is still being handled.',
    meaning: 'The first request with this key is still being handled.',
    remedy: 'Repeat the request with the same key after the seconds in `Retry-After`.',
    headers: { 'retry-after': '1' },
  },
  'outcome-not-recorded': {
    status: 503,
    detail:
      'The payment is recorded, but the outcome of its notification is not yet. Retry soon with the same Idempotency-Key.',
    meaning: 'The payment is recorded, but the outcome of its notification is not yet.',
    remedy:
      'Repeat the request with the same key to get the payment. Without the key it would be paid twice.',
    headers: { 'retry-after': '1' },
  },
  'store-unavailable': {
    status: 503,
    detail: 'The store is unavailable. This request has changed nothing. Retry soon.',
    meaning: 'The store is unavailable. Unless `detail` says otherwise, the request has changed nothing.',
    remedy:
      'Repeat the request after the seconds in `Retry-After`, a payment with the same `Idempotency-Key`.',
    headers: { 'retry-after': '1' },
  },
  'erasure-interrupted': {
    status: 503,
    detail:
      'The store became unavailable during the erasure, of which a part may be done. Repeat the request to go on.',
    meaning: 'The store became unavailable during the erasure, of which a part may be done.',
    remedy: 'Repeat the request after the seconds in `Retry-After`: it goes on where the first one ended.',
    headers: { 'retry-after': '1' },
  },
  'payment-unreadable': {
    status: 500,
    detail:
      'The record of this payment cannot be read, so nothing was changed. An operator has to repair it; repeating the request does not help.',
    meaning: 'The record of this payment is damaged. Nothing was changed.',
    remedy: 'Report it to the operator. Repeating the request does not help.',
  },
  'payment-not-found': {
    status: 404,
    detail: 'There is no payment with this id.',
    meaning: 'There is no payment with this id.',
    remedy: 'Correct the id: it is the `payment_id` of the response to `POST /payments`.',
  },
  'action-not-allowed': {
    status: 409,
    detail: 'The state of the notification does not allow this.',
    meaning:
      'The state of the notification does not allow the action; `allowed` lists those that it allows. A cancellation may find that a provider has accepted the SMS meanwhile.',
    remedy: 'Read the payment, and choose one of the actions in `allowed`.',
    members: { notification_status: 'pending', allowed: ['cancel'] },
  },
  'resend-held-back': {
    status: 409,
    detail: 'The SMS is held back.',
    meaning:
      'A bound, or the want of a phone, does not let the SMS out now; `reason` names it. A notification that was sent or delivered does not wait for that: it stays as it was.',
    remedy: 'Repeat the request when the bound allows it, or with another `phone`.',
    members: { reason: 'daily_limit' },
  },
  'count-changed': {
    status: 409,
    detail: 'Not as many notifications match as `count` says.',
    meaning:
      'Not as many notifications match as `count` says: some have changed since they were counted. None was retried.',
    remedy: 'Look at what matches now, and repeat the request with the `count` of this problem.',
    members: { count: 1042 },
  },
  'retry-interrupted': {
    status: 503,
    detail:
      'The store became unavailable during the retry, of which a part may be done. Count again to see what is left.',
    meaning: 'The store became unavailable during the retry, of which a part may be done.',
    remedy: 'After the seconds in `Retry-After`, count what is left with `dry_run=true`, and retry that.',
    headers: { 'retry-after': '1' },
  },
  'message-redacted': {
    status: 409,
    detail: 'The text was redacted: there is nothing to send.',
    meaning:
      'The text of the SMS was redacted after its time, or with its customer, so that there is nothing to send.',
    remedy: 'Do not repeat the request: this notification can no longer be sent.',
  },
  'recipient-rejected': {
    status: 409,
    detail: 'The recipient was rejected. Provide another phone.',
    meaning: 'A provider has rejected the recipient, which is final for this phone.',
    remedy: 'Repeat the request with another `phone`.',
  },
  'recipient-suppressed': {
    status: 409,
    detail: 'This phone gets no SMS. Provide another phone.',
    meaning: 'The phone is suppressed: its owner has opted out, or an admin has suppressed it.',
    remedy: 'Repeat the request with another `phone`.',
  },
  'receipt-of-the-future': {
    status: 400,
    detail: '`at` is in the future.',
    meaning: 'The time of the receipt is in the future by more than clocks differ.',
    remedy: 'Correct the clock of the provider service, or `at`.',
  },
  'attempt-not-found': {
    status: 404,
    detail: 'There is no such attempt.',
    meaning: 'No payment has an attempt with this key, provider and message id.',
    remedy: 'Do not repeat the receipt: it belongs to another payment-service, or its payment was deleted.',
  },
  'notification-in-use': {
    status: 409,
    detail: 'The notification is being handled. Retry soon.',
    meaning: 'The notification is being handled, so that a receipt, or an action, was not recorded.',
    remedy: 'Repeat the request after the seconds in `Retry-After`.',
    headers: { 'retry-after': '1' },
  },
  'customer-not-found': {
    status: 404,
    detail: 'No phone is stored for this customer.',
    meaning: 'No phone is stored for this customer.',
    remedy: 'Store one with `PUT /customers/{customer_id}`.',
  },
  'suppression-not-found': {
    status: 404,
    detail: 'There is no suppression with this id.',
    meaning: 'There is no suppression with this id.',
    remedy: 'Find the suppression of a phone with `POST /suppressions/search`.',
  },
  'events-off': {
    status: 409,
    detail: 'No events are recorded. EVENTS=true turns the feed on, and so does WEBHOOK_URL.',
    meaning: 'No events are recorded.',
    remedy: 'The operator sets EVENTS=true or WEBHOOK_URL.',
  },
  'history-off': {
    status: 409,
    detail: 'No history is kept. A HISTORY_RETENTION_MS above 0 turns it on.',
    meaning: 'No history is kept.',
    remedy: 'The operator sets HISTORY_RETENTION_MS.',
  },
  'statistics-off': {
    status: 409,
    detail: 'No statistics are kept. STATISTICS=true turns them on.',
    meaning: 'No statistics are kept.',
    remedy: 'The operator sets STATISTICS=true.',
  },
  'cursor-expired': {
    status: 410,
    detail:
      'Events after this cursor may have been deleted, or the database was restored. Begin again without `after`, and ignore the events whose `id` you know.',
    meaning: 'Events after the cursor may have been deleted, or the database was restored.',
    remedy: 'Begin again without `after`, and ignore the events whose `id` you know.',
  },
  'webhooks-off': {
    status: 409,
    detail: 'There is no webhook endpoint. WEBHOOK_URL sets one.',
    meaning: 'There is no webhook endpoint.',
    remedy: 'The operator sets WEBHOOK_URL.',
  },
  'webhook-delivery-not-found': {
    status: 404,
    detail: 'There is no delivery of an event with this id.',
    meaning: 'There is no delivery of an event with this id.',
    remedy: 'Correct the id. `GET /webhook-deliveries` lists the deliveries.',
  },
  'provider-unhealthy': {
    status: 503,
    detail: 'Aldeamo is not healthy. Its circuit is unchanged.',
    meaning: 'Aldeamo is not healthy, so that its circuit stays as it is.',
    remedy:
      'Wait: the circuit closes by itself once Aldeamo is healthy. `GET /health` shows what the last check found.',
  },
  'hold-not-found': {
    status: 404,
    detail: 'The provider is not held.',
    meaning: 'The provider is not held: the hold was released, or has ended by itself.',
    remedy: 'Nothing: `GET /providers` shows what is held.',
  },
  'sandbox-not-found': {
    status: 404,
    detail: 'The provider is live, so it has no sandbox.',
    meaning: 'The provider is live, so it has no sandbox.',
    remedy: 'Nothing: only a sandbox has settings to change.',
  },
  'provider-unreachable': {
    status: 503,
    detail: "The provider's service cannot be reached.",
    meaning: "The provider's service cannot be reached. Its settings may have been changed.",
    remedy: 'See that the service runs, and repeat the request.',
  },
  'provider-answer-unexpected': {
    status: 502,
    detail: "The provider's service returned an unexpected answer.",
    meaning: "The provider's service returned an unexpected answer. Its settings may have been changed.",
    remedy: 'See that the URL of the service is right; its log has the error.',
  },
  'too-many-watchers': {
    status: 503,
    detail: 'The limit of watchers is reached. Retry later.',
    meaning: 'As many clients watch the stream as may at a time.',
    remedy: 'Repeat the request after the seconds in `Retry-After`.',
    headers: { 'retry-after': '10' },
  },
  // Of the proxy of docker-compose.scale.yml, whose clients read the pages here.
  unavailable: {
    status: 503,
    detail: 'The service cannot be reached, and has received nothing of the request. Retry soon.',
    meaning: 'The proxy reaches no replica of the service. Nothing was done.',
    remedy: 'Repeat the request after the seconds in `Retry-After`.',
    headers: { 'retry-after': '1' },
  },
  unanswered: {
    status: 504,
    detail:
      'The service did not respond, and may have carried out the request. Repeat a payment with the same Idempotency-Key.',
    meaning: 'The service did not respond to the proxy, and may have carried out the request.',
    remedy: 'Repeat a payment with the same `Idempotency-Key`. Without a key, look for the payment first.',
  },
} as const satisfies ProblemKinds;

export const paymentProblem = problemMaker(paymentProblems);
