import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';

/** A running `npm start`, as processes of this machine (Linux). */
export interface NpmStart {
  job: ChildProcess;
  /** The job's exit code and signal. */
  ended: Promise<[number | null, NodeJS.Signals | null]>;
  urls: { payment: string; aldeamo: string; twilio: string };
  /** The processes of this job whose command line has this text; a NUL stands between its words. */
  pids(command: string): Promise<number[]>;
}

export const starter = 'node\0scripts/start.js';
export const services = 'src/main.ts';

interface Options {
  settings?: Record<string, string>;
  /** Whether standard output is read; else it is a pipe that nothing reads. */
  reads?: boolean;
}

/** Runs the shell command, which runs the starter, in a session of its own. It does not wait for the services. */
export async function spawnStart(
  command: string,
  { settings = {}, reads = true }: Options = {},
): Promise<NpmStart> {
  const data = await mkdtemp(join(tmpdir(), 'start-'));
  const [payment, aldeamo, twilio] = await freePorts(3);
  const job = spawn('bash', ['-c', command], {
    detached: true,
    env: {
      PATH: `${resolve('node_modules/.bin')}:${process.env.PATH}`,
      HOME: data,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      PAYMENT_SERVICE_PORT: String(payment),
      ALDEAMO_SERVICE_PORT: String(aldeamo),
      TWILIO_SERVICE_PORT: String(twilio),
      DATABASE_URL: `file:${data}/payments.db`,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (reads) job.stdout.resume();
  const ended = once(job, 'exit') as NpmStart['ended'];
  const pids = (text: string) => processesOf(data, text);
  onTestFinished(async () => {
    for (const pid of await pids('')) killIfRunning(pid);
    await ended;
    await rm(data, { recursive: true });
  });
  const [urlOfPayment = '', urlOfAldeamo = '', urlOfTwilio = ''] = [payment, aldeamo, twilio].map(
    (port) => `http://127.0.0.1:${port}`,
  );
  return { job, ended, urls: { payment: urlOfPayment, aldeamo: urlOfAldeamo, twilio: urlOfTwilio }, pids };
}

/** A process may end by itself between the moment it was found and the signal. */
function killIfRunning(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until all three services are ready. */
export async function startJob(command: string, options?: Options): Promise<NpmStart> {
  const started = await spawnStart(command, options);
  for (const url of Object.values(started.urls)) await eventually(() => isReady(url), Boolean, 30_000);
  return started;
}

export const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );

/** Those that have the marker in their environment, as each child of the job has. */
async function processesOf(marker: string, command: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [environment, line] = await Promise.all(
      ['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    if (environment?.includes(marker) && line?.includes(command)) found.push(Number(pid));
  }
  return found;
}
