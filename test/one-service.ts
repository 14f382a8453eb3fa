import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import type { ServiceName } from './trio.ts';

export interface OneService {
  child: ChildProcess;
  url: string;
  /** Resolves with its exit code and the signal that ended it. */
  ended: Promise<[number | null, NodeJS.Signals | null]>;
}

interface OneServiceOptions {
  settings?: Record<string, string>;
  stdio?: SpawnOptions['stdio'];
  /** A shell command that runs beside it, on the same standard output. */
  beside?: string;
  /** A command that starts it, such as one that limits it. */
  prefix?: string;
  /** The text of its .env. */
  envFile?: string;
  /** The folder of the release that it is of. Default: this one. */
  release?: string;
}

/** Starts one service as a process, without waiting for it: a test of its standard output reads that itself, or does not. */
export async function spawnService(
  name: ServiceName,
  {
    settings = {},
    stdio = ['ignore', 'pipe', 'pipe'],
    beside = ':',
    prefix = '',
    envFile = '',
    release = '.',
  }: OneServiceOptions = {},
): Promise<OneService> {
  const data = await mkdtemp(join(tmpdir(), 'service-'));
  await writeFile(join(data, '.env'), envFile);
  const [port] = await freePorts(1);
  const command = [process.execPath, resolve(release, `${name}/src/main.ts`)];
  const child = spawn('sh', ['-c', `${beside} & exec ${prefix} "$0" "$@"`, ...command], {
    cwd: data, // not the repository, because its .env is the developer's
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      PORT: String(port),
      DATABASE_URL: `file:${data}/payments.db`,
      ...settings,
    },
    stdio,
  });
  const ended = once(child, 'exit') as OneService['ended'];
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(data, { recursive: true });
  });
  return { child, url: `http://127.0.0.1:${port}`, ended };
}

export async function startOneService(name: ServiceName, options?: OneServiceOptions): Promise<OneService> {
  const service = await spawnService(name, options);
  await eventually(
    () => statusOf(`${service.url}/health/ready`),
    (status) => status === 200,
    30_000,
  );
  return service;
}

/** 0 if there is no answer. */
const statusOf = (url: string) =>
  fetch(url).then(
    ({ status }) => status,
    () => 0,
  );
