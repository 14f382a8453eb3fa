import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { createLogOutput } from 'service-kit/telemetry/log-output.ts';
import { announcement } from './announcement.ts';
import type { Prepared } from './prepare.ts';
import type { ServicePlan } from './settings.ts';

export interface Services {
  /** Begins the ordinary stop, once. The services that have not ended after STOP_TIMEOUT_MS are killed. */
  stop(): void;
  /** Kills the services, and exits with 1. */
  kill(): never;
}

/**
 * Starts the services. One that ends stops the others, because an incomplete demo would mislead.
 *
 * A terminal gets short lines; a pipe or a file the services' JSON, and then standard error has what the starter itself says.
 */
export async function runServices({ settings, warnings, demo }: Prepared): Promise<Services> {
  const isTerminal = process.stdout.isTTY;
  const toLine = isTerminal ? (await import('./terminal-lines.ts')).createTerminalLines() : passOn;
  const output = createLogOutput({
    notice: (lost) => (isTerminal ? `${lost} lines were lost here\n` : lostLine(lost)),
    onError(code) {
      // The reader or the terminal is gone for good, as after `npm start | head`; a full disk may have room again.
      if ((code !== 'EPIPE' && code !== 'EIO') || stopping.signal.aborted) return;
      process.stderr.write(`Standard output was closed (${code}), as by | head: the services stop.\n`);
      stop();
    },
  });
  const say = (text: string) => (isTerminal ? output.write(text) : process.stderr.write(text));
  const stopping = new AbortController();
  for (const warning of warnings) say(`${warning}\n`);
  const started = settings.plans.toReversed().map((plan) => {
    const child = spawnService(plan);
    const ended = end(child).then(() => {
      if (child.exitCode !== 0) process.exitCode = 1;
      stop();
    });
    pipeLines(child, (line) => {
      const text = toLine(plan.name, line);
      if (text !== undefined) output.write(`${text}\n`);
    });
    return { child, ended };
  });

  // By the channel, because another process may answer on a port that is in use, and LOG_LEVEL may silence the log.
  void Promise.all(started.map(({ child }) => once(child, 'message'))).then(async () => {
    if (stopping.signal.aborted) return;
    say(announcement(settings));
    await demo?.({ settings, say, signal: stopping.signal });
  });

  function stop(): void {
    if (stopping.signal.aborted) return;
    stopping.abort();
    setTimeout(kill, settings.payment.STOP_TIMEOUT_MS).unref();
    void stopEach(started);
  }

  function kill(): never {
    for (const { child } of started) child.kill('SIGKILL');
    process.exit(1);
  }

  return { stop, kill };
}

/** JSON as it is; what is not of the log, such as a warning of Node.js, with the name of its service. */
const passOn = (service: string, line: string) => (line.startsWith('{') ? line : `${service} | ${line}`);

/** In the form of the lines around it. */
const lostLine = (lost: number) =>
  `${JSON.stringify({ level: 40, time: Date.now(), name: 'npm start', lost_lines: lost, msg: 'log lines were lost' })}\n`;

/**
 * The channel says that the service listens, and its end begins the stop of the service, whatever way this process goes. The
 * services have process groups of their own, so that Ctrl-C reaches them only through here.
 */
const spawnService = ({ name, settings }: ServicePlan): ChildProcess =>
  spawn(process.execPath, [`${name}/src/main.ts`], {
    env: { ...process.env, ...settings },
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });

/** Resolves when it has exited and its output has ended. Its `close` does not come after a `disconnect` from here. */
const end = (child: ChildProcess): Promise<unknown> =>
  Promise.all([
    once(child, 'exit'),
    ...[child.stdout, child.stderr].map((output) => output && once(output, 'close')),
  ]);

/** Stops payment-service first, because it may still wait for a response of the others. */
async function stopEach(started: { child: ChildProcess; ended: Promise<void> }[]): Promise<void> {
  for (const { child, ended } of started.toReversed()) {
    if (child.connected) child.disconnect();
    await ended;
  }
}

function pipeLines(child: ChildProcess, write: (line: string) => void): void {
  for (const input of [child.stdout, child.stderr] as NodeJS.ReadableStream[])
    createInterface(input).on('line', write);
}
