import process from 'node:process';

/**
 * `npm start`: runs the three services as one foreground job, for a machine without Docker. Each log line starts with the
 * service's name, and Ctrl-C stops all of them; a second Ctrl-C ends them at once.
 *
 * The npm script uses `exec`, because a shell between npm and this process would be killed by Ctrl-C, with exit code 130. On a
 * shell without `exec` (Windows) the second half of the script runs.
 */

const parent = process.ppid;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const exit = () => process.exit(0);
// They stand before the rest is imported, because a signal would meanwhile end this process as if by a crash.
for (const signal of signals) process.on(signal, exit);

const { runServices } = await import('./services.ts');

const services = runServices();
let signalledAt: number | undefined;
for (const signal of signals) {
  process.on(signal, onSignal);
  process.removeListener(signal, exit); // not before, because a signal that has arrived is lost with its last handler
}
// A killed npm sends no signal.
if (process.env.npm_lifecycle_event) {
  setInterval(() => {
    if (process.ppid !== parent) services.stop();
  }, 500).unref();
}

function onSignal(signal: NodeJS.Signals): void {
  const now = performance.now();
  signalledAt ??= now;
  services.stop();
  if (signal !== 'SIGHUP' && now - signalledAt > echoMs(signal)) services.kill();
}

/**
 * How long a signal may take to arrive a second time, in ms: one that is sent to the process group, and a Ctrl-C that npm passes
 * on besides. A terminal that is closed sends SIGHUP any number of times.
 */
function echoMs(signal: NodeJS.Signals): number {
  return signal === 'SIGINT' && process.env.npm_lifecycle_event ? 250 : 10;
}
