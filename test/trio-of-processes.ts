import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseLog, type ServiceName, type Trio } from './trio.ts';

interface Running {
  child: ChildProcess;
  closed: Promise<unknown>;
  url: string;
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

  const get = (service: ServiceName) => {
    const it = running.get(service);
    if (!it) throw new Error(`${service} does not run`);
    return it;
  };

  async function start(service: ServiceName): Promise<void> {
    const port = running.get(service)?.url.split(':').at(-1) ?? '0'; // the port it had, else any
    const urls =
      service === 'payment-service'
        ? { ALDEAMO_SERVICE_URL: get('aldeamo-service').url, TWILIO_SERVICE_URL: get('twilio-service').url }
        : {};
    const shell = service === 'payment-service' ? prelude : '';
    const command = [process.execPath, resolve(`${service}/src/main.ts`)];
    const child = spawn('sh', ['-c', `${shell} exec "$0" "$@"`, ...command], {
      cwd: data, // not the repo's folder, whose .env is the developer's
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: `file:${data}/payments.db`,
        ...settings,
        ...urls,
        PORT: port,
        ALDEAMO_LEDGER_FILE: `${data}/aldeamo.ledger`,
        TWILIO_LEDGER_FILE: `${data}/twilio.ledger`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    const url = await new Promise<string>((found, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface(stream).on('line', (line) => {
          output[service].push(line);
          const listening = /"listening on ([^"]+)"/.exec(line);
          if (listening?.[1]) found(listening[1]);
        });
      }
      child.once('close', (code) =>
        reject(new Error(`${service} ended with ${code}:\n${output[service].join('\n')}`)),
      );
    });
    running.set(service, { child, closed, url });
  }

  await Promise.all([start('aldeamo-service'), start('twilio-service')]);
  await start('payment-service');

  return {
    url: (service) => get(service).url,
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
      for (const { child, closed } of running.values()) {
        child.kill('SIGKILL');
        await closed;
      }
      await rm(data, { recursive: true });
    },
  };
}
