/** A run of failures that has lasted this long opens the circuit, however busy it is. */
const longRunMs = 1000;
/** With fewer calls than this in the window a run opens it, however short it is. */
const busyCalls = 20;

/** Consecutive failures. A run lasts from the end of its first call to the end of its last one. */
export interface FailureRun {
  readonly length: number;
  /** Counts a failed call that has just ended. */
  extend(): void;
  /** Whether the run opens the circuit, given the number of calls in the window. */
  opensCircuit(callsInWindow: number): boolean;
  end(): void;
}

/**
 * opossum has no rule for consecutive failures. With few calls it is what makes the circuit open early: three payments
 * at one a second instead of the five that the failure rate needs. At 500 calls a second a run of three comes about by
 * chance, every two seconds if 10% fail; that is left to the failure rate, unless the run lasts.
 */
export function createFailureRun(limit: number): FailureRun {
  let length = 0;
  let startedAt = 0;
  return {
    get length() {
      return length;
    },
    extend() {
      if (length === 0) startedAt = performance.now();
      length += 1;
    },
    opensCircuit: (callsInWindow) =>
      length >= limit && (callsInWindow < busyCalls || performance.now() - startedAt >= longRunMs),
    end() {
      length = 0;
    },
  };
}
