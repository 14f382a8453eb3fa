import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

export type Name = 'payment-service' | 'aldeamo-service' | 'twilio-service' | 'pass-through';

export interface ProcessOptions {
  url: string;
  /** The working directory, and that of the log: the repository's would bring the developer's .env. */
  folder: string;
  /** A program that runs the service, such as one that makes its disk slow. */
  wrapper?: readonly string[];
  env: Record<string, string>;
}

/** V8's compile cache, and the services whose code is in it. A first start fills it, as the build of the image does. */
const compileCache = join(tmpdir(), 'bench-compiled');
const cached = new Set<Name>();

export interface ServiceProcess {
  child: ChildProcess;
  /** From its start to ready, in ms. */
  readyMs: number;
}

/** Starts a service with a filled compile cache, and returns when it is ready. */
export async function startCached(name: Name, options: ProcessOptions): Promise<ServiceProcess> {
  if (!cached.has(name)) {
    const { wrapper: _, ...direct } = options;
    const { child } = await startProcess(name, direct);
    await endProcess(child, () => child.kill('SIGTERM')); // not SIGKILL, because the cache is written at exit
    cached.add(name);
  }
  return startProcess(name, options);
}

async function startProcess(
  name: Name,
  { url, folder, wrapper = [], env }: ProcessOptions,
): Promise<ServiceProcess> {
  const main = resolve(name === 'pass-through' ? 'bench/pass-through.ts' : `${name}/src/main.ts`);
  const [program = '', ...args] = [...wrapper, process.execPath, main];
  // A file, as in production, because reading the logs would load this machine, too.
  const logPath = `${folder}/${name}.log`;
  const log = openSync(logPath, 'w');
  const startedAt = performance.now();
  const child = spawn(program, args, {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: compileCache,
      NODE_OPTIONS: '--expose-gc', // as in the image
      ...env,
      PORT: new URL(url).port,
    },
    stdio: ['ignore', log, log],
    detached: true, // in a process group of its own, so that a wrapper ends with the service
  });
  closeSync(log);
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(`${name} ended:\n${await readFile(logPath, 'utf8')}`);
    await delay(5);
  }
  return { child, readyMs: performance.now() - startedAt };
}

/** Ends a process unless it has ended. */
export async function endProcess(child: ChildProcess, kill: () => void): Promise<void> {
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
