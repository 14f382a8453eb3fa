import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, glob, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { call } from './http.ts';
import { type ReplicaName, type ServiceName, serviceNames } from './trio.ts';

/** Prometheus as it is installed, with the rules of ops/prometheus. */

export const without = reasonNotToUsePrometheus();
if (without && process.env.REQUIRE_PROMETHEUS === '1')
  throw new Error(`REQUIRE_PROMETHEUS=1, but ${without}`);
export const why = without ? ` (skipped: ${without})` : '';

interface Sample {
  metric: Record<string, string>;
  value: [at: number, value: string];
}

export interface Prometheus extends AsyncDisposable {
  url: string;
  query(expression: string): Promise<Sample[]>;
  /** The names of the alerts that fire, with what they lack of the labels that route them. */
  firing(): Promise<string[]>;
}

interface Targets {
  url(name: ReplicaName): string;
  /** Changes the text of a rule file. */
  changeRules?: (text: string) => string;
  /** The processes of each service. Default: one. */
  replicas?: Partial<Record<ServiceName, ReplicaName[]>>;
}

/** Starts Prometheus on a copy of ops/prometheus with these targets, scraped twice a second. */
export async function startPrometheus(targets: Targets): Promise<Prometheus> {
  const copy = await copyConfiguration();
  const folder = copy.path;
  await rewrite(join(folder, 'prometheus.yml'), (text) => {
    let config = text.replaceAll('15s', '500ms');
    for (const name of serviceNames) {
      const hosts = (targets.replicas?.[name] ?? [name]).map((replica) => new URL(targets.url(replica)).host);
      config = config.replace(new RegExp(`${name}:80\\d\\d`), hosts.join(', '));
    }
    return config;
  });
  for (const name of ['alerts.yml', 'objectives.yml'])
    await rewrite(join(folder, name), targets.changeRules ?? ((text) => text));
  const { url, stop } = await spawnPrometheus(folder);
  const query = async (expression: string) => {
    const { status, body } = await call<{ data: { result: Sample[] } }>(
      'GET',
      `${url}/api/v1/query?query=${encodeURIComponent(expression)}`,
    );
    expect(status, expression).toBe(200);
    return body.data.result;
  };
  return {
    url,
    query,
    async firing() {
      const samples = await query('ALERTS{alertstate="firing"}');
      const names = samples.map(({ metric: { alertname = '', job, severity } }) =>
        job && severity ? alertname : `${alertname} without job or severity`,
      );
      return [...new Set(names)];
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await copy.remove();
    },
  };
}

/** A copy of ops/prometheus in a folder of its own, with a token. */
export async function copyConfiguration() {
  const folder = await mkdtempDisposable(join(tmpdir(), 'prometheus-'));
  await cp('ops/prometheus', folder.path, { recursive: true });
  await writeFile(join(folder.path, 'service-token'), 'token');
  return folder;
}

export const rulesOfFiles = async (): Promise<string> =>
  (
    await Promise.all(
      ['alerts.yml', 'objectives.yml'].map((name) => readFile(`ops/prometheus/${name}`, 'utf8')),
    )
  ).join('\n');

/** The files of promtool's tests, which run beside each other. */
export const testRules = async (folder: string): Promise<void> => {
  const files = await Array.fromAsync(glob(join(folder, '*.test.yml')));
  expect(files.length).toBeGreaterThan(0);
  await Promise.all(files.map((file) => promisify(execFile)('promtool', ['test', 'rules', file])));
};

export function promtool(args: string[], input = ''): void {
  execFileSync('promtool', args, { input, stdio: 'pipe' });
}

async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(path, change(await readFile(path, 'utf8')));
}

async function spawnPrometheus(folder: string) {
  const [port] = await freePorts(1);
  const child = spawn(
    'prometheus',
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const closed = once(child, 'close');
  const url = `http://127.0.0.1:${port}`;
  const ready = () =>
    fetch(`${url}/-/ready`).then(
      ({ status }) => status,
      () => 0,
    );
  await eventually(ready, (status) => status === 200, 20_000);
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

function reasonNotToUsePrometheus(): string | undefined {
  try {
    for (const name of ['prometheus', 'promtool']) execFileSync(name, ['--version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return "prometheus and promtool are not installed (Debian's package prometheus)";
  }
}
