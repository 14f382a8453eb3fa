import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import { CommitUnknown, StoreUnavailable, UnreadablePayment } from '../store/store.ts';

/** For OpenAPI: the response of any route that needs the store. */
export const storeUnavailableResponse = problemResponse(
  'The store is unavailable. Unless `detail` says otherwise, this request has changed nothing',
);

/** For OpenAPI: the response of any route that reads one payment. */
export const unreadablePaymentResponse = problemResponse(
  'The record of this payment is damaged; repeating the request does not help',
);

/** The problem of an unavailable store or of a payment that cannot be read; undefined for other errors. */
export function toStoreProblem(error: Error): Problem | undefined {
  if (error instanceof UnreadablePayment)
    return new Problem(
      500,
      'payment-unreadable',
      'The record of this payment cannot be read, so nothing was changed. An operator has to repair it; repeating the request does not help.',
    );
  if (!(error instanceof StoreUnavailable)) return undefined;
  const detail =
    error instanceof CommitUnknown
      ? 'The connection to the store was lost during the commit, so this request may have been recorded. Retry soon with the same Idempotency-Key.'
      : 'The store is unavailable. This request has changed nothing. Retry soon.';
  return new Problem(503, 'store-unavailable', detail, { headers: { 'retry-after': '1' } });
}
