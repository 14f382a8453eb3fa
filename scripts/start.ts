import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/**
 * Runs the three services as one foreground job, for a machine without Docker. Ctrl-C stops all of them; a second Ctrl-C ends
 * them at once.
 */

const parent = process.ppid;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const exit = () => process.exit(0);
// They stand before the rest is imported, because a signal would meanwhile end this process as if by a crash.
for (const signal of signals) process.on(signal, exit);

// .env and the data are the repository's, wherever the command was given.
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { readArguments } = await import('./arguments.ts');
const command = readArguments(process.argv.slice(2), process.env);
const { prepare, Refusal } = await import('./prepare.ts');
const { runServices } = await import('./services.ts');

const prepared = await prepare(command).catch((error: unknown) => {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
// A signal that came while this process was busy is handled in the second, and nothing has been started.
await setImmediate();
await setImmediate();
const services = await runServices(prepared);
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
