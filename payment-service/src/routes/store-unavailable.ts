import { Problem, problemResponse } from 'service-kit/server/problem.ts';
import { StoreUnavailable } from '../store/store.ts';

/** For OpenAPI: the answer of any route that needs the store. */
export const storeUnavailableResponse = problemResponse(
  'The store does not answer; this request has changed nothing',
);

/** What a store that does not answer is to a client. */
export const toStoreProblem = (error: Error): Problem | undefined =>
  error instanceof StoreUnavailable
    ? new Problem(
        503,
        'store-unavailable',
        'The store does not answer. This request has changed nothing; ask again soon.',
        {
          headers: { 'retry-after': '1' },
        },
      )
    : undefined;
