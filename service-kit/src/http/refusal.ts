import { Problem } from './problem.ts';

type Refusal = 'stopping' | 'overloaded';

export interface RefusalOptions {
  /** More members of the problem document. */
  refusalMembers?: (reason: Refusal) => Record<string, unknown>;
}

const details: Record<Refusal, string> = {
  stopping: 'The service is stopping. Retry later.',
  overloaded: 'The concurrency limit is reached. Retry later.',
};

/** Nothing of the request has been done. */
export const refusal = (reason: Refusal, { refusalMembers }: RefusalOptions): Problem =>
  new Problem(503, reason, details[reason], {
    ...refusalMembers?.(reason),
    headers: { 'retry-after': '1' },
  });
