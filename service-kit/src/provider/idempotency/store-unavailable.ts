import type { Problem } from '../../http/problem.ts';
import { DatabaseError } from '../../postgres/database-error.ts';
import { providerProblem } from '../provider-problems.ts';

/** A problem without an outcome: while the database is down, none is known of any send. */
export const idempotencyStoreProblem = (error: Error): Problem | undefined =>
  error instanceof DatabaseError ? providerProblem('idempotency-store-unavailable') : undefined;
