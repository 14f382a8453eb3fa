import process from 'node:process';

/** What the thread gets as its `workerData`. */
export interface WatchdogData {
  /** At `ticksAt` the ticks of the event loop, at `exemptAt` 1 while it may stand still. */
  shared: Int32Array;
  /** Of the event loop and of the thread. */
  tickMs: number;
  /** The thread's own ticks without one of the event loop, beyond which it makes sure. */
  allowedTicks: number;
  /** The turns after them that make sure, and their length: only then does it end the process. */
  shortTurns: number;
  shortTurnMs: number;
  /** Its last line of the log, with its line feed. */
  line: string;
}

/** Indices of `shared`. */
export const ticksAt = 0;
export const exemptAt = 1;

/** The thread of the watchdog. It runs from its text, so that it uses only its arguments and the globals of Node.js. */
export function watch(
  fs: typeof import('node:fs'),
  { shared, tickMs, allowedTicks, shortTurns, shortTurnMs, line }: WatchdogData,
): void {
  const standardOutput = 1;
  /** How long the line waits for a reader that stalls, in ms. */
  const patienceMs = 500;
  let seen = -1;
  let unchanged = 0;

  /**
   * A process that is frozen again and again may let this thread run each time, and the event loop not. The short turns leave time
   * to the event loop, and one that comes as late as after a freeze does not count. The others may be late: the CPU is shared.
   */
  function wait(): void {
    const isShort = unchanged > allowedTicks;
    const turnMs = isShort ? shortTurnMs : tickMs;
    const dueAt = performance.now() + turnMs;
    setTimeout(() => {
      count(isShort && performance.now() - dueAt > 4 * shortTurnMs);
      wait();
    }, turnMs);
  }

  function count(wasFrozen: boolean): void {
    const [ticks, exempt] = [Atomics.load(shared, 0), Atomics.load(shared, 1)];
    if (ticks !== seen || exempt === 1) unchanged = 0;
    else if (!wasFrozen) unchanged += 1;
    seen = ticks;
    if (unchanged <= allowedTicks + shortTurns) return;
    report();
    process.kill(process.pid, 'SIGKILL');
    // Still here, so it is the first process (PID 1) of its namespace, which no signal of its own kills.
    closePolls();
  }

  wait();

  /** Writes by itself, because the output of the log is the main thread's. */
  function report(): void {
    // The line was made at the start.
    let rest = Buffer.from(line.replace(/"time":\d+/, `"time":${Date.now()}`));
    const until = performance.now() + patienceMs;
    while (rest.length > 0 && performance.now() < until) {
      try {
        rest = rest.subarray(fs.writeSync(standardOutput, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }

  /** Without the descriptor that it polls, the event loop of this thread aborts the process, which a worker else cannot. */
  function closePolls(): void {
    for (const descriptor of fs.readdirSync('/proc/self/fd')) {
      try {
        const target = fs.readlinkSync(`/proc/self/fd/${descriptor}`);
        if (target === 'anon_inode:[eventpoll]') fs.closeSync(Number(descriptor));
      } catch {
        // The descriptor of the folder is closed already.
      }
    }
  }
}
