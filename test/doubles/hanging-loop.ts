import process from 'node:process';

/**
 * Preloaded by a service (`node --import`): SIGWINCH makes its event loop hang for the milliseconds in HANG_MS, for ever by
 * default. It waits in native code unless HANG_IN is JavaScript. The service takes most other signals for a stop.
 */
const { HANG_MS = 'Infinity', HANG_IN } = process.env;

process.on('SIGWINCH', () => {
  const ms = Number(HANG_MS);
  if (HANG_IN === 'JavaScript') for (const until = performance.now() + ms; performance.now() < until; );
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
});
