import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import { CommitUnknown, StoreUnavailable } from '../store/store.ts';

/** For OpenAPI: the answer of any route that needs the store. */
export const storeUnavailableResponse = problemResponse(
  'The store does not answer. Unless `detail` says otherwise, this request has changed nothing',
);

/** What a store that does not answer is to a client. */
export function toStoreProblem(error: Error): Problem | undefined {
  if (!(error instanceof StoreUnavailable)) return undefined;
  const detail =
    error instanceof CommitUnknown
      ? 'The store was lost while it was taking this request. It may have been taken: ask again soon, with the same Idempotency-Key.'
      : 'The store does not answer. This request has changed nothing; ask again soon.';
  return new Problem(503, 'store-unavailable', detail, { headers: { 'retry-after': '1' } });
}
