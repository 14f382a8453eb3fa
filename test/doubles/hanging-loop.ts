import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

/**
 * Preloaded by a service (`node --import`): SIGWINCH makes its event loop hang for the milliseconds in HANG_MS, for ever by
 * default. It waits in native code unless HANG_IN is JavaScript. The service takes most other signals for a stop. With HANG_AT=exit
 * it hangs in a handler of `exit` instead.
 */
const { HANG_MS = 'Infinity', HANG_IN, HANG_AT = 'SIGWINCH' } = process.env;

if (isMainThread)
  process.on(HANG_AT, () => {
    const ms = Number(HANG_MS);
    if (HANG_IN === 'JavaScript') for (const until = performance.now() + ms; performance.now() < until; );
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  });
