import type { FastifyBaseLogger } from 'fastify';

/**
 * Compares the wall clock with the monotonic one, which cannot be set. Each method compares them at its call, because a timer
 * would come after what had expired in the meantime.
 */
export interface ClockWatch {
  /**
   * How far the wall clock is ahead of the monotonic one since the start of the process, in ms; negative if it was set back. A
   * new time is accepted after five minutes, and is the one to compare with from then on.
   */
  aheadMs(): number;
  /** False while the wall clock is more than a minute ahead, because what expires by a wrong clock is lost. */
  mayExpire(): boolean;
  /**
   * The longest time, in ms, that can have passed since a wall time (ms since the epoch), given that the clock may have been set
   * back since; Infinity if that time is in the future.
   */
  longestSince(at: number): number;
}

export interface ClockWatchOptions {
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;
  /** In ms since the epoch. */
  wallNow?: () => number;
  /** In ms since any time. */
  monotonicNow?: () => number;
}

/** The wall time in ms since the epoch, or what it was to be before the clock was set ahead, until its new time is accepted. */
export const acceptedNow = (clock: Pick<ClockWatch, 'aheadMs' | 'mayExpire'>): number =>
  Date.now() - (clock.mayExpire() ? 0 : clock.aheadMs());

const toleratedMs = 60_000;
const acceptedAfterMs = 300_000;

export function watchClock({
  log,
  wallNow = Date.now,
  monotonicNow = () => performance.now(),
}: ClockWatchOptions): ClockWatch {
  const readOffset = () => wallNow() - monotonicNow();
  let accepted = readOffset();
  let highest = accepted;
  /** An offset that is not accepted yet, and since when it is seen by the monotonic clock. */
  let step: { offset: number; seenAt: number } | undefined;

  const isOff = (aheadMs: number) => Math.abs(aheadMs) > toleratedMs;

  function aheadMs(): number {
    const offset = readOffset();
    highest = Math.max(highest, offset);
    if (isOff(offset - (step?.offset ?? accepted))) {
      step = isOff(offset - accepted) ? { offset, seenAt: monotonicNow() } : undefined;
      report(offset - accepted);
    } else if (step && monotonicNow() - step.seenAt >= acceptedAfterMs) {
      accepted = offset;
      step = undefined;
      log.info('the new time of the wall clock is accepted; notifications, keys and texts expire again');
    }
    return offset - accepted;
  }

  function report(aheadMs: number): void {
    const fields = { clock_ahead_ms: Math.round(aheadMs) };
    if (aheadMs > toleratedMs)
      log.error(
        fields,
        'the wall clock was set ahead, or the machine was suspended; nothing expires for five minutes',
      );
    else if (aheadMs < -toleratedMs) log.warn(fields, 'the wall clock was set back');
    else log.info(fields, 'the wall clock is correct again');
  }

  return {
    aheadMs,
    mayExpire: () => aheadMs() <= toleratedMs,
    longestSince(at) {
      aheadMs();
      const ms = highest + monotonicNow() - at;
      return ms < 0 ? Number.POSITIVE_INFINITY : ms;
    },
  };
}
