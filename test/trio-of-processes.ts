import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { startTcpProxy, type TcpProxy } from './doubles/tcp-proxy.ts';
import { freePorts } from './free-ports.ts';
import { readMetrics, scanService } from './leaks.ts';
import { parseLog, type ReplicaName, type ServiceName, serviceNames, type Trio } from './trio.ts';

interface Running {
  child: ChildProcess;
  closed: Promise<unknown>;
}

export interface ProcessOptions {
  /** Shell commands that run before payment-service, for example to set a limit. */
  prelude?: string;
  /** Their number by service, 1 by default. They need a DATABASE_URL and a SENDS_DATABASE_URL that they share. */
  replicas?: Partial<Record<ServiceName, number>>;
  /** payment-service reaches the provider services through proxies that can be cut. */
  proxied?: boolean;
}

export interface ProxiedTrio<Name extends string = ServiceName> extends Trio<Name> {
  /** Cuts the open connections from payment-service to this service without a FIN. */
  swallow(service: ServiceName): void;
}

export async function startProcesses(
  settings: Record<string, string> = {},
  { prelude = '', replicas = {}, proxied = false }: ProcessOptions = {},
): Promise<ProxiedTrio<ReplicaName>> {
  const data = await mkdtemp(join(tmpdir(), 'trio-'));
  const running = new Map<ReplicaName, Running>();
  const names = serviceNames.flatMap((service) => replicaNames(service, replicas[service]));
  const output = new Map<ReplicaName, string[]>(names.map((name) => [name, []]));
  const freed = await freePorts(names.length);
  const ports = new Map(names.map((name, index) => [name, freed[index] as number]));
  const urlOf = (name: ReplicaName) => `http://127.0.0.1:${ports.get(name)}`;
  const proxies = new Map<ServiceName, TcpProxy>();
  if (proxied) {
    for (const name of serviceNames) proxies.set(name, await startTcpProxy(ports.get(name) as number));
  }
  /** Where the other services reach this one. */
  const innerUrlOf = (name: ServiceName) => {
    const proxy = proxies.get(name);
    return proxy ? `http://127.0.0.1:${proxy.port}` : urlOf(name);
  };

  const get = (name: ReplicaName) => {
    const it = running.get(name);
    if (!it) throw new Error(`${name} does not run`);
    return it;
  };
  const outputOf = (name: ReplicaName) => output.get(name) ?? [];

  async function start(name: ReplicaName): Promise<void> {
    const service = name.replace(/-\d+$/, '');
    const shell = service === 'payment-service' ? prelude : '';
    const command = [process.execPath, resolve(`${service}/src/main.ts`)];
    const child = spawn('sh', ['-c', `${shell} exec "$0" "$@"`, ...command], {
      cwd: data, // not the repository, because its .env is the developer's
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        DATABASE_URL: `file:${data}/payments.db`,
        ...settings,
        ALDEAMO_SERVICE_URL: innerUrlOf('aldeamo-service'),
        TWILIO_SERVICE_URL: innerUrlOf('twilio-service'),
        PAYMENT_SERVICE_URL: innerUrlOf('payment-service'),
        PORT: String(ports.get(name)),
        REPLICA_NAME: name,
        ALDEAMO_LEDGER_FILE: `${data}/${name}.ledger`,
        TWILIO_LEDGER_FILE: `${data}/${name}.ledger`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    running.set(name, { child, closed });
    await new Promise<void>((listening, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface(stream).on('line', (line) => {
          outputOf(name).push(line);
          if (line.includes('"listening on ')) listening();
        });
      }
      child.once('close', (code) =>
        reject(new Error(`${name} ended with ${code}:\n${outputOf(name).join('\n')}`)),
      );
    });
  }

  const dispose = async () => {
    for (const { child, closed } of running.values()) {
      child.kill('SIGKILL');
      await closed;
    }
    for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]();
    await rm(data, { recursive: true });
  };
  try {
    await Promise.all(names.map(start));
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
    swallow: (service) => proxies.get(service)?.swallow(),
    logs: async (service) => parseLog(outputOf(service).join('\n')),
    async [Symbol.asyncDispose]() {
      const metrics = await Promise.all(names.map((name) => readMetrics(urlOf(name))));
      await dispose();
      names.forEach((name, index) => {
        scanService(name, outputOf(name), metrics[index] ?? []);
      });
    },
  };
}

/** Returns, for example, payment-service, payment-service-2 and payment-service-3. */
export const replicaNames = (service: ServiceName, count = 1): ReplicaName[] =>
  Array.from({ length: count }, (_, index) => (index === 0 ? service : (`${service}-${index + 1}` as const)));
