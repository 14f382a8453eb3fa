import { clearImmediate, setImmediate } from 'node:timers';

/**
 * Deadlines of this process, which judge by what has arrived: after a pause (SIGSTOP, a machine that is moved) the timers are due
 * before the event loop has read the answers from the sockets.
 */

const tickMs = 100;

/** In ms: a deadline is not postponed by more, however long the pauses were. */
const longestGraceMs = 1000;

/** The process stands still as a whole, so that all deadlines share this. The ticker runs only while there are deadlines. */
let ticker: NodeJS.Timeout | undefined;
let deadlines = 0;
let lookedAt = 0;
let stoodStillMs = 0;

/** For how long the process stood still so far, in ms, or its event loop was blocked. A late tick is the sign. */
function look(): number {
  const now = performance.now();
  const lateMs = now - lookedAt - tickMs;
  if (lateMs > tickMs) stoodStillMs += lateMs;
  lookedAt = now;
  return stoodStillMs;
}

function startTicker(): void {
  lookedAt = performance.now();
  ticker = setInterval(look, tickMs).unref();
}

/**
 * Calls `expire` once this process has run for the time, unless the returned function was called before. Two rules keep an answer
 * that is there from being judged as missing:
 *
 * - The event loop reads its sockets once more between the timer and `expire`. The immediate comes from node:timers, so that it is
 *   a turn of the event loop under fake timers, too.
 * - The time for which the process stood still is added, up to a second: what it waits for may have stood still, too, as when a
 *   whole machine is paused. All deadlines are postponed alike, so that nested ones keep their order; the lateness of each timer by
 *   itself would let an outer deadline expire before an inner one.
 */
export function startDeadline(timeoutMs: number, expire: () => void): () => void {
  deadlines += 1;
  if (deadlines === 1) startTicker();
  const stoodStillBefore = look();
  let addedMs = 0;
  let immediate: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined = setTimeout(onTimeUp, timeoutMs);

  function onTimeUp(): void {
    const graceMs = Math.min(look() - stoodStillBefore, longestGraceMs) - addedMs;
    addedMs += graceMs;
    if (graceMs > 0) timer = setTimeout(onTimeUp, graceMs);
    else immediate = setImmediate(onExpired);
  }
  function onExpired(): void {
    clear();
    expire();
  }
  function clear(): void {
    if (!timer) return;
    clearTimeout(timer);
    clearImmediate(immediate);
    timer = undefined;
    deadlines -= 1;
    if (deadlines === 0) clearInterval(ticker);
  }
  return clear;
}

/** The result of the work, or that of `late` once the time is up. The work itself goes on: a repeated key joins it. */
export function withDeadline<T>(timeoutMs: number, work: Promise<T> | T, late: () => T): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const clear = startDeadline(timeoutMs, () => resolve(Promise.try(late)));
  Promise.resolve(work).then(resolve, reject).finally(clear);
  return promise;
}
