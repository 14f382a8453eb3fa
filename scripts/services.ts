import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import pinoPretty from 'pino-pretty';
import { reachableUrl } from 'service-kit/http/reachable-url.ts';
import { createLogOutput } from 'service-kit/telemetry/log-output.ts';
import { announcement } from './announcement.ts';

export interface Services {
  /** Begins the ordinary stop, once. The services that have not ended after STOP_TIMEOUT_MS are killed. */
  stop(): void;
  /** Kills the services, and exits with 1. */
  kill(): never;
}

/** Starts the services. One that ends stops the others, because an incomplete demo would mislead. */
export function runServices(): Services {
  try {
    process.loadEnvFile(); // for the ports; the services read the rest
  } catch {
    // There is no .env.
  }
  const services = [
    { name: 'aldeamo', port: process.env.ALDEAMO_SERVICE_PORT || '8001', color: 'yellow' },
    { name: 'twilio', port: process.env.TWILIO_SERVICE_PORT || '8002', color: 'magenta' },
    { name: 'payment', port: process.env.PAYMENT_SERVICE_PORT || '8000', color: 'cyan' },
  ] as const;
  const [aldeamo = '', twilio = '', payment = ''] = services.map(
    ({ port }) => reachableUrl(process.env.HOST || 'localhost', port) ?? '',
  );
  const urls = { ALDEAMO_SERVICE_URL: aldeamo, TWILIO_SERVICE_URL: twilio, PAYMENT_SERVICE_URL: payment };

  const output = createLogOutput({
    notice: (lost) => `${lost} lines were lost here\n`,
    onError(code) {
      // The reader or the terminal is gone for good, as after `npm start | head`; a full disk may have room again.
      if (code === 'EPIPE' || code === 'EIO') stop();
    },
  });
  let isStopping = false;
  const started = services.map(({ name, port, color }) => {
    const child = spawnService(`${name}-service/src/main.ts`, { ...urls, PORT: port });
    const ended = end(child).then(() => {
      if (child.exitCode !== 0) process.exitCode = 1;
      stop();
    });
    const prefix = styleText(color, `${name.padEnd(7)} |`);
    return { child, ended, listening: pipeLines(child, (line) => output.write(`${prefix} ${line}\n`)) };
  });

  // Waits for each service's own log line, because another process may answer on a port that is in use.
  void Promise.all(started.map(({ listening }) => listening))
    .then(() => announcement({ aldeamo, twilio, payment }))
    // Not fatal, because the services run without the announcement.
    .catch((error: unknown) => `the services could not be announced: ${String(error)}\n`)
    .then((text) => isStopping || output.write(text));

  function stop(): void {
    if (isStopping) return;
    isStopping = true;
    setTimeout(kill, Number(process.env.STOP_TIMEOUT_MS || 10_000)).unref();
    void stopEach(started);
  }

  function kill(): never {
    for (const { child } of started) child.kill('SIGKILL');
    process.exit(1);
  }

  return { stop, kill };
}

/**
 * The channel is for its end alone: it begins the stop of the service, whatever way this process goes. The services have
 * process groups of their own, so that Ctrl-C reaches them only through here.
 */
const spawnService = (main: string, settings: Record<string, string>): ChildProcess =>
  spawn(process.execPath, [main], {
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

/** Passes each line on, in colour and without its JSON, and resolves with the line that says that the service listens. */
function pipeLines(child: ChildProcess, write: (line: string) => void): Promise<void> {
  const pretty = pinoPretty.prettyFactory({
    colorize: process.stdout.isTTY,
    ignore: 'pid,hostname,name',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return new Promise((resolve) => {
    for (const input of [child.stdout, child.stderr] as NodeJS.ReadableStream[]) {
      createInterface(input).on('line', (line) => {
        if (line.includes('"listening on ')) resolve();
        write(line.startsWith('{') ? pretty(line).trimEnd() : line);
      });
    }
  });
}
