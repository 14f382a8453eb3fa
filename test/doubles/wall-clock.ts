import { readFileSync } from 'node:fs';
import process from 'node:process';

/**
 * Preloaded by a service (`node --import`): its wall clock is off by the milliseconds in the file that WALL_CLOCK_FILE names,
 * at each reading, so that a test can set it while the service runs. The monotonic clock and the timers stay as they are.
 */
const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(String(process.env.WALL_CLOCK_FILE), 'utf8'));

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});
