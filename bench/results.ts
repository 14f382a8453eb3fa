import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import process from 'node:process';
import type { Blackhole } from './blackhole.ts';
import type { Csv } from './csv.ts';
import type { FoundPages } from './find.ts';
import type { Footprint } from './footprint.ts';
import type { Memory } from './memory.ts';
import type { SlowDisk } from './slow-disk.ts';
import type { Soak } from './soak.ts';
import type { StoreSize } from './store-size.ts';
import type { Measured } from './throughput.ts';
import type { Webhooks } from './webhooks.ts';

/** The results by part. Each has its machine and commit, because the parts can be of different runs. */
export interface Results {
  throughput: Part<Measured[]>;
  latency: Part<Measured[]>;
  blackhole: Part<Blackhole>;
  'slow-disk': Part<SlowDisk[]>;
  footprint: Part<Footprint[]>;
  memory: Part<Memory[]>;
  soak: Part<Soak>;
  webhooks: Part<Webhooks>;
  'store-size': Part<StoreSize[]>;
  'store-size-postgres': Part<StoreSize[]>;
  find: Part<FoundPages[]>;
  csv: Part<Csv>;
}

export interface Part<Data> {
  measured_at: string;
  commit: string;
  machine: string;
  data: Data;
}

const file = 'bench/results.json';

export async function readResults(): Promise<Partial<Results>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return {};
  }
}

export async function writeResult<Name extends keyof Results>(
  name: Name,
  data: Results[Name]['data'],
): Promise<Partial<Results>> {
  const results = await readResults();
  const part = { measured_at: new Date().toISOString(), commit: commit(), machine: machine(), data };
  const updated = { ...results, [name]: part };
  await writeFile(file, `${JSON.stringify(updated, null, 2)}\n`);
  return updated;
}

/** The hash of HEAD, with a + if there are uncommitted changes, except in the files that this program writes. */
function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const isOwn = /(bench\/results\.json|docs\/performance.*|README.*\.md)$/;
  const changes = git('status', '--porcelain').split('\n').filter(Boolean);
  return `${git('rev-parse', '--short=10', 'HEAD')}${changes.some((path) => !isOwn.test(path)) ? '+' : ''}`;
}

const machine = () =>
  `${availableParallelism()} CPUs (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, Node.js ${process.version}`;
