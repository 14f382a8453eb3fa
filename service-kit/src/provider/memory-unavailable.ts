import { DatabaseError } from '../postgres/database-error.ts';
import { Problem } from '../server/problem.ts';

/** Whoever asks what became of a send can not be told now; it is no answer to that question. */
export const toMemoryProblem = (error: Error): Problem | undefined =>
  error instanceof DatabaseError
    ? new Problem(503, 'memory-unavailable', 'What was sent is not known at this moment. Ask again soon.', {
        headers: { 'retry-after': '1' },
      })
    : undefined;
