import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../test/free-ports.ts';
import type { Load, Order } from './load.ts';

export type Name = 'payment-service' | 'aldeamo-service' | 'twilio-service' | 'pass-through';

/** What is measured, running as processes, and what loads it. */
export interface Services extends AsyncDisposable {
  url(name: Name): string;
  pid(name: Name): number;
  /** Several at a time have a process each. */
  load(order: Partial<Order> & Pick<Order, 'forMs'>): Promise<Load>;
  usage(name: Name): Promise<Usage>;
  /** How long each took from its start to ready, in ms. */
  readyMs: ReadonlyMap<Name, number>;
}

export interface Usage {
  /** CPU time so far, of all threads, in ms. */
  cpuMs: number;
  residentMb: number;
  /** Open file descriptors, sockets among them. */
  descriptors: number;
  /** What keeps the event loop alive: sockets, timers and such. */
  resources: number;
}

export interface StartOptions {
  names: readonly Name[];
  settings?: Record<string, string>;
  /** A program that runs payment-service, such as one that makes its disk slow. */
  wrapper?: readonly string[];
}

interface Loader {
  child: ChildProcess;
  ended: AbortSignal;
}

/** What V8 has made of the code, and of which services it is there: a first start fills it, as the build of the image does. */
const compiled = join(tmpdir(), 'bench-compiled');
const filled = new Set<Name>();

/** The logs go to a file, as they would in production: reading them would be one more load on this machine. */
export async function startServices({ names, settings = {}, wrapper = [] }: StartOptions): Promise<Services> {
  const data = await mkdtemp(join(tmpdir(), 'bench-'));
  const freed = await freePorts(names.length);
  const url = (name: Name) => `http://127.0.0.1:${freed[names.indexOf(name)]}`;
  const children = new Map<Name, ChildProcess>();
  const readyMs = new Map<Name, number>();
  const loaders: Loader[] = [];
  const idleLoaders: Loader[] = [];

  async function start(name: Name): Promise<void> {
    if (!filled.has(name)) {
      const first = await run(name);
      first.kill('SIGTERM'); // it is written by a process that ends, not by one that is killed
      await once(first, 'close');
      filled.add(name);
    }
    const started = performance.now();
    await run(name, name === 'payment-service' ? wrapper : []);
    readyMs.set(name, performance.now() - started);
  }

  async function run(name: Name, by: readonly string[] = []): Promise<ChildProcess> {
    const main = resolve(name === 'pass-through' ? 'bench/pass-through.ts' : `${name}/src/main.ts`);
    const [program = '', ...args] = [...by, process.execPath, main];
    const log = openSync(`${data}/${name}.log`, 'w');
    const child = spawn(program, args, {
      cwd: data, // not the repo's folder, whose .env is the developer's
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: compiled,
        NODE_OPTIONS: '--expose-gc', // as in the image
        DATABASE_URL: `file:${data}/payments.db`,
        ALDEAMO_LATENCY_MS: '0',
        TWILIO_LATENCY_MS: '0',
        ...settings,
        ALDEAMO_SERVICE_URL: url('aldeamo-service'),
        TWILIO_SERVICE_URL: url('twilio-service'),
        PAYMENT_SERVICE_URL: url('payment-service'),
        PORT: new URL(url(name)).port,
      },
      stdio: ['ignore', log, log],
      detached: true, // a process group of its own, which ends as one, whatever runs it
    });
    closeSync(log);
    children.set(name, child);
    while (!(await isReady(url(name)))) {
      if (child.exitCode !== null)
        throw new Error(`${name} ended:\n${await readFile(`${data}/${name}.log`, 'utf8')}`);
      await delay(5);
    }
    return child;
  }

  function newLoader(): Loader {
    const child = fork('bench/load.ts');
    const ended = new AbortController();
    child.once('exit', () => ended.abort(new Error('what makes the load has ended')));
    const loader = { child, ended: ended.signal };
    loaders.push(loader);
    return loader;
  }

  const dispose = async () => {
    for (const child of children.values())
      await end(child, () => process.kill(-(child.pid as number), 'SIGKILL'));
    for (const { child } of loaders) await end(child, () => child.kill('SIGKILL'));
    await rm(data, { recursive: true });
  };
  try {
    for (const name of names) await start(name); // one at a time: how long each takes is measured, too
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    url,
    pid: (name) => children.get(name)?.pid as number,
    readyMs,
    async load(order) {
      const target = names.includes('pass-through') ? 'pass-through' : 'payment-service';
      const loader = idleLoaders.pop() ?? newLoader();
      const answered = once(loader.child, 'message', { signal: loader.ended });
      loader.child.send({ url: url(target), connections: 64, status: 201, ...order } satisfies Order);
      const [load] = await answered;
      idleLoaders.push(loader);
      return load as Load;
    },
    async usage(name) {
      const text = await (await fetch(`${url(name)}/metrics`)).text();
      const values = (metric: string) =>
        [...text.matchAll(new RegExp(`^${metric}(?:{.*})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
      const value = (metric: string) => values(metric).reduce((sum, each) => sum + each, 0);
      return {
        cpuMs: value('process_cpu_seconds_total') * 1000,
        residentMb: value('process_resident_memory_bytes') / 2 ** 20,
        descriptors: value('process_open_fds'),
        resources: value('nodejs_active_resources'),
      };
    },
    [Symbol.asyncDispose]: dispose,
  };
}

async function end(child: ChildProcess, kill: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  kill();
  await once(child, 'close');
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch {
    return false;
  }
}
