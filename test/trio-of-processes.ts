import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from './free-ports.ts';
import { readMetrics, scanService } from './leaks.ts';
import { parseLog, type ServiceName, serviceNames, type Trio } from './trio.ts';

interface Running {
  child: ChildProcess;
  closed: Promise<unknown>;
}

/** `prelude` is shell that runs before payment-service, such as one that sets a limit for it. */
export async function startProcesses(settings: Record<string, string>, prelude = ''): Promise<Trio> {
  const data = await mkdtemp(join(tmpdir(), 'trio-'));
  const running = new Map<ServiceName, Running>();
  const output: Record<ServiceName, string[]> = {
    'payment-service': [],
    'aldeamo-service': [],
    'twilio-service': [],
  };

  const [payment, aldeamo, twilio] = (await freePorts(3)) as [number, number, number];
  const ports = { 'payment-service': payment, 'aldeamo-service': aldeamo, 'twilio-service': twilio };
  const urlOf = (service: ServiceName) => `http://127.0.0.1:${ports[service]}`;

  const get = (service: ServiceName) => {
    const it = running.get(service);
    if (!it) throw new Error(`${service} does not run`);
    return it;
  };

  async function start(service: ServiceName): Promise<void> {
    const shell = service === 'payment-service' ? prelude : '';
    const command = [process.execPath, resolve(`${service}/src/main.ts`)];
    const child = spawn('sh', ['-c', `${shell} exec "$0" "$@"`, ...command], {
      cwd: data, // not the repo's folder, whose .env is the developer's
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: `file:${data}/payments.db`,
        ...settings,
        ALDEAMO_SERVICE_URL: urlOf('aldeamo-service'),
        TWILIO_SERVICE_URL: urlOf('twilio-service'),
        PAYMENT_SERVICE_URL: urlOf('payment-service'),
        PORT: String(ports[service]),
        ALDEAMO_LEDGER_FILE: `${data}/aldeamo.ledger`,
        TWILIO_LEDGER_FILE: `${data}/twilio.ledger`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    running.set(service, { child, closed });
    await new Promise<void>((listening, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface(stream).on('line', (line) => {
          output[service].push(line);
          if (line.includes('"listening on ')) listening();
        });
      }
      child.once('close', (code) =>
        reject(new Error(`${service} ended with ${code}:\n${output[service].join('\n')}`)),
      );
    });
  }

  const dispose = async () => {
    for (const { child, closed } of running.values()) {
      child.kill('SIGKILL');
      await closed;
    }
    await rm(data, { recursive: true });
  };
  try {
    await Promise.all(serviceNames.map(start));
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    url: urlOf,
    freeze: async (service) => void get(service).child.kill('SIGSTOP'),
    thaw: async (service) => void get(service).child.kill('SIGCONT'),
    async kill(service) {
      get(service).child.kill('SIGKILL');
      await get(service).closed;
    },
    terminate: async (service) => void get(service).child.kill('SIGTERM'),
    async exitCode(service) {
      await get(service).closed;
      return get(service).child.exitCode ?? -1;
    },
    start,
    logs: async (service) => parseLog(output[service].join('\n')),
    async [Symbol.asyncDispose]() {
      const metrics = await Promise.all(serviceNames.map((service) => readMetrics(urlOf(service))));
      await dispose();
      serviceNames.forEach((service, index) => {
        scanService(service, output[service], metrics[index] ?? []);
      });
    },
  };
}
