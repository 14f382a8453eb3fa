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

export async function startProcesses(settings: Record<string, string>): Promise<Trio> {
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
    const child = spawn(process.execPath, [resolve(`${service}/src/main.ts`)], {
      cwd: data, // not the repo's folder, whose .env is the developer's
      env: {
        PATH: process.env.PATH,
        ...settings,
        ...urls,
        PORT: port,
        DATABASE_URL: `file:${data}/payments.db`,
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

  async function end(service: ServiceName, signal: NodeJS.Signals): Promise<number> {
    const { child, closed } = get(service);
    child.kill(signal);
    await closed;
    return child.exitCode ?? -1;
  }

  await Promise.all([start('aldeamo-service'), start('twilio-service')]);
  await start('payment-service');

  return {
    url: (service) => get(service).url,
    freeze: async (service) => void get(service).child.kill('SIGSTOP'),
    thaw: async (service) => void get(service).child.kill('SIGCONT'),
    kill: async (service) => void (await end(service, 'SIGKILL')),
    stop: (service) => end(service, 'SIGTERM'),
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
