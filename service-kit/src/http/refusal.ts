import { httpProblem } from './http-problems.ts';
import type { Problem } from './problem.ts';

type Refusal = 'stopping' | 'overloaded';

export interface RefusalOptions {
  /** More members of the problem document. */
  refusalMembers?: (reason: Refusal) => Record<string, unknown>;
}

/** Nothing of the request has been done. */
export const refusal = (reason: Refusal, { refusalMembers }: RefusalOptions): Problem =>
  httpProblem(reason, refusalMembers?.(reason));
