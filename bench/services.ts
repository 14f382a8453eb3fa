import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { freePorts } from '../test/free-ports.ts';
import type { Load, Order } from './load.ts';
import { createLoaders } from './loaders.ts';
import { endProcess, type Name, type ServiceProcess, startCached } from './service-process.ts';

/** Services that run as processes, and the load on them. */
export interface Services extends AsyncDisposable {
  url(name: Name): string;
  pid(name: Name): number;
  /** Concurrent loads have a process each. */
  load(order: Partial<Order> & Pick<Order, 'forMs'>): Promise<Load>;
  usage(name: Name): Promise<Usage>;
  /** The time of each from its start to ready, in ms. */
  readyMs(name: Name): number;
}

export interface Usage {
  /** CPU time so far, of all threads, in ms. */
  cpuMs: number;
  residentMb: number;
  /** Open file descriptors, sockets included. */
  descriptors: number;
  /** Resources that keep the event loop alive, such as sockets and timers. */
  resources: number;
}

export interface StartOptions {
  names: readonly Name[];
  settings?: Record<string, string>;
  /** A program that runs payment-service, such as one that makes its disk slow. */
  wrapper?: readonly string[];
}

export async function startServices({ names, settings = {}, wrapper = [] }: StartOptions): Promise<Services> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const ports = await freePorts(names.length);
  const url = (name: Name) => `http://127.0.0.1:${ports[names.indexOf(name)]}`;
  const started = new Map<Name, ServiceProcess>();
  const loaders = createLoaders();
  const env = {
    DATABASE_URL: `file:${folder}/payments.db`,
    ALDEAMO_LATENCY_MS: '0',
    TWILIO_LATENCY_MS: '0',
    ...settings,
    ALDEAMO_SERVICE_URL: url('aldeamo-service'),
    TWILIO_SERVICE_URL: url('twilio-service'),
    PAYMENT_SERVICE_URL: url('payment-service'),
  };
  const processOf = (name: Name) => started.get(name) as ServiceProcess;
  const pidOf = ({ child }: { child: ChildProcess }) => child.pid as number;

  const dispose = async () => {
    for (const service of started.values())
      await endProcess(service.child, () => process.kill(-pidOf(service), 'SIGKILL'));
    await loaders[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  try {
    // One at a time, because the time that each takes is measured, too.
    for (const name of names) {
      const by = name === 'payment-service' ? wrapper : [];
      started.set(name, await startCached(name, { url: url(name), folder, wrapper: by, env }));
    }
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    url,
    pid: (name) => pidOf(processOf(name)),
    readyMs: (name) => processOf(name).readyMs,
    load(order) {
      const target = names.includes('pass-through') ? 'pass-through' : 'payment-service';
      return loaders.run({ url: url(target), connections: 64, status: 201, ...order });
    },
    usage: (name) => readUsage(url(name)),
    [Symbol.asyncDispose]: dispose,
  };
}

async function readUsage(url: string): Promise<Usage> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = (metric: string) =>
    [...text.matchAll(new RegExp(`^${metric}(?:{.*})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
  const sum = (metric: string) => values(metric).reduce((total, value) => total + value, 0);
  return {
    cpuMs: sum('process_cpu_seconds_total') * 1000,
    residentMb: sum('process_resident_memory_bytes') / 2 ** 20,
    descriptors: sum('process_open_fds'),
    resources: sum('nodejs_active_resources'),
  };
}
