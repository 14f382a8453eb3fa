import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import pinoPretty from 'pino-pretty';

/**
 * `npm start`: runs the three services as one foreground job, for a machine without Docker. Each log line starts with the
 * service's name, and Ctrl-C stops all of them.
 *
 * The npm script uses `exec`, because a shell between npm and this process would be killed by Ctrl-C, with exit code 130. On a
 * shell without `exec` (Windows) the second half of the script runs.
 */

try {
  process.loadEnvFile(); // for the ports; the services read the rest
} catch {
  // There is no .env.
}

const services = [
  { name: 'aldeamo', port: process.env.ALDEAMO_SERVICE_PORT ?? '8001', color: 'yellow' },
  { name: 'twilio', port: process.env.TWILIO_SERVICE_PORT ?? '8002', color: 'magenta' },
  { name: 'payment', port: process.env.PAYMENT_SERVICE_PORT ?? '8000', color: 'cyan' },
] as const;
type Service = (typeof services)[number];

const [aldeamoUrl, twilioUrl, paymentUrl] = services.map(({ port }) => `http://localhost:${port}`);
const pretty = pinoPretty.prettyFactory({
  colorize: process.stdout.isTTY,
  ignore: 'pid,hostname,name',
  singleLine: true,
  translateTime: 'SYS:HH:MM:ss.l',
});

let stopping = false;
const listening = services.map(() => Promise.withResolvers<void>());
const children = services.map(run);

// Ctrl-C can arrive twice, from the terminal and from npm. The services have process groups of their own, so that they receive
// one signal, from here.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
announce().catch((error: unknown) => {
  // Not fatal, because the services run without the announcement.
  process.stderr.write(`the services could not be announced: ${String(error)}\n`);
});

function run({ name, port, color }: Service, index: number): ChildProcess {
  const child = spawn(process.execPath, [`${name}-service/src/main.ts`], {
    env: {
      ...process.env,
      PORT: port,
      ALDEAMO_SERVICE_URL: aldeamoUrl,
      TWILIO_SERVICE_URL: twilioUrl,
      PAYMENT_SERVICE_URL: paymentUrl,
    },
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const prefix = styleText(color, `${name.padEnd(7)} |`);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      if (line.includes('"listening on ')) listening[index]?.resolve();
      process.stdout.write(`${prefix} ${line.startsWith('{') ? pretty(line).trimEnd() : line}\n`);
    });
  }
  child.once('close', (code) => {
    if (code !== 0) process.exitCode = 1;
    void stop(); // one that ends stops the others, because an incomplete demo would mislead
  });
  return child;
}

/** Stops payment-service first, because it may still wait for a response of the others. */
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const child of children.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'close');
  }
}

/** Waits for each service's own log line, because another process may answer on a port that is in use. */
async function announce(): Promise<void> {
  await Promise.all(listening.map(({ promise }) => promise));
  if (stopping) return;
  const [aldeamoMode, twilioMode] = await Promise.all([describeMode(aldeamoUrl), describeMode(twilioUrl)]);
  if (stopping) return;
  process.stdout.write(`
  payment-service  ${paymentUrl}   the live page; its API to try out: ${paymentUrl}/docs
  aldeamo-service  ${aldeamoUrl}   ${aldeamoMode}
  twilio-service   ${twilioUrl}   ${twilioMode}

  Send a payment:
    curl -X POST ${paymentUrl}/payments -H "Content-Type: application/json" \\
      -d '{"amount": 100.0, "customer_id": "123", "message": "Pago recibido"}'
  Break Aldeamo, if it is a sandbox, and send another:
    curl -X POST "${aldeamoUrl}/toggle-failure?failure_rate=1"

  Ctrl-C stops all three.

`);
}

async function describeMode(url = ''): Promise<string> {
  const { mode } = (await (await fetch(`${url}/health`)).json()) as { mode: string };
  return mode === 'live' ? 'live: SMS are sent' : 'a sandbox: no SMS is sent';
}
