import inspector from 'node:inspector';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { exemptAt, ticksAt, type WatchdogData, watch } from './thread.ts';

/** Above the time that a fatal line may wait for its reader, and what a machine under load adds. In ms. */
const shortestHangMs = 3000;

const longestTickMs = 1000;

/** In which the thread makes sure before it ends the process. In ms. */
const shortTurnMs = 50;
const shortTurns = 2;

/**
 * Ends the process from a thread of its own when its event loop has hung for longer than a lease, because then another
 * replica takes over its work, while the kernel goes on accepting connections for it. The line about it is the last of the log.
 *
 * The thread counts its own ticks since the last one of the event loop, and reads no clock, because a process that is
 * paused as a whole, or whose machine is, has not hung. While a debugger may attach, breakpoints are no hang. Neither is what a
 * process does once its event loop has ended: `exit` handlers, and the profiles and the compile cache that Node.js writes.
 *
 * @param toLine returns a line of the log
 */
export function startWatchdog(leaseMs: number, toLine: (hungMs: number, msg: string) => string): void {
  const hangMs = Math.max(leaseMs, shortestHangMs);
  const tickMs = Math.min(Math.ceil(hangMs / 10), longestTickMs);
  const allowedTicks = Math.ceil(hangMs / tickMs);
  const hungMs = (allowedTicks + 1) * tickMs + shortTurns * shortTurnMs;
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const line = toLine(hungMs, `the event loop has hung for ${hungMs / 1000} s; the process is killed`);
  const tick = () => {
    Atomics.add(shared, ticksAt, 1);
    Atomics.store(shared, exemptAt, inspector.url() === undefined ? 0 : 1);
  };
  tick();
  setInterval(tick, tickMs).unref();
  process.prependListener('exit', () => Atomics.store(shared, exemptAt, 1));
  const workerData: WatchdogData = { shared, tickMs, allowedTicks, shortTurns, shortTurnMs, line };
  // As text, because a module would load what Node.js needs for modules into the thread: 32 MB instead of 11.
  const source = `(${watch})(require('node:fs'), require('node:worker_threads').workerData)`;
  new Worker(source, { eval: true, execArgv: [], env: {}, workerData }).unref();
}
