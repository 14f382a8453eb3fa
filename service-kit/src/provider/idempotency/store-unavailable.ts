import { Problem } from '../../http/problem.ts';
import { DatabaseError } from '../../postgres/database-error.ts';

/** A problem without an outcome: while the database is down, none is known of any send. */
export const idempotencyStoreProblem = (error: Error): Problem | undefined =>
  error instanceof DatabaseError
    ? new Problem(503, 'memory-unavailable', 'The idempotency store does not respond. Retry later.', {
        headers: { 'retry-after': '1' },
      })
    : undefined;
