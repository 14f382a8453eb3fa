import { Problem } from '../../http/problem.ts';
import { DatabaseError } from '../../postgres/database-error.ts';

/** While the database is away nobody can be told what became of a send. It has no outcome: it must not pass for an answer. */
export const toMemoryProblem = (error: Error): Problem | undefined =>
  error instanceof DatabaseError
    ? new Problem(503, 'memory-unavailable', 'What was sent is not known at this moment. Ask again soon.', {
        headers: { 'retry-after': '1' },
      })
    : undefined;
