import type { Try } from './endpoint.ts';
import { jittered } from './schedule.ts';

/**
 * Whether the webhook endpoint takes deliveries. While it does not, it is asked by one probe at a time, so that the tries of the
 * other events are not used up. Pure functions of a state, not opossum: that one counts the calls of a window and refuses further
 * ones, while here nothing is claimed in the first place, and one endpoint is either up or down.
 */
export type Circuit =
  | { state: 'closed'; failures: number }
  | {
      state: 'open';
      /** Why it opened. */
      reason: string;
      /** When the next probe may begin, in ms of the monotonic clock. */
      probeAt: number;
      /** The pause before that probe, in ms, without jitter and Retry-After. */
      pauseMs: number;
    };

type Failure = Extract<Try, { result: 'failed' }>;

/** This many failures in a row open the circuit. */
const mostFailures = 5;
const firstPauseMs = 5000;
const longestPauseMs = 60_000;

export const closedCircuit: Circuit = { state: 'closed', failures: 0 };

/**
 * The circuit after a person had deliveries go on, who may know that the endpoint works again: an open one is probed soon, though the
 * endpoint has asked for a pause of up to a day.
 */
export const afterResume = (circuit: Circuit, at: number): Circuit =>
  circuit.state === 'closed'
    ? circuit
    : { ...circuit, probeAt: Math.min(circuit.probeAt, at + firstPauseMs) };

/**
 * The circuit after a try that failed at this time (ms of the monotonic clock). What was begun before the circuit opened says
 * nothing new, but for a Retry-After.
 */
export function afterFailure(
  circuit: Circuit,
  failure: Failure,
  { at, isProbe, random }: { at: number; isProbe: boolean; random?: () => number },
): Circuit {
  const { reason, isThrottled } = failure;
  const throttledUntil = at + (isThrottled ? (failure.retryAfterMs ?? 0) : 0);
  const open = (pauseMs: number, because: string): Circuit => ({
    state: 'open',
    reason: because,
    probeAt: Math.max(at + jittered(pauseMs, random), throttledUntil),
    pauseMs,
  });
  if (circuit.state === 'open') {
    if (isProbe) return open(Math.min(2 * circuit.pauseMs, longestPauseMs), circuit.reason);
    return { ...circuit, probeAt: Math.max(circuit.probeAt, throttledUntil) };
  }
  const failures = circuit.failures + 1;
  return isThrottled || failures >= mostFailures ? open(firstPauseMs, reason) : { state: 'closed', failures };
}
