/** A wait by the monotonic clock: setting the wall clock neither shortens nor prolongs it. */
export interface Wait {
  /** What is left of the wait, in ms; 0 once it is over. */
  remainingMs(): number;
  /** The wall time at which it ends, for reports. */
  wallTime(): string;
}

/** A wall clock that was set by more than this, in ms, moves the reported time. */
const toleranceMs = 500;

export function startWait(waitMs: number): Wait {
  const endsAt = performance.now() + waitMs;
  let reportedAt = Date.now() + waitMs;
  return {
    remainingMs: () => Math.max(0, endsAt - performance.now()),
    wallTime() {
      const at = Date.now() + endsAt - performance.now();
      // Two readings of two clocks differ by a millisecond, and each difference would be an event of the live page.
      if (Math.abs(at - reportedAt) > toleranceMs) reportedAt = at;
      return new Date(Math.round(reportedAt)).toISOString();
    },
  };
}
