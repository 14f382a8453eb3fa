import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from './free-ports.ts';
import { owner } from './postgres-server.ts';

type PoolMode = 'session' | 'transaction' | 'statement';

interface PgBouncer extends AsyncDisposable {
  /** The URL of the same database through the pooler. */
  through(url: string): string;
  setMode(mode: PoolMode): Promise<void>;
}

/** Why its tests are skipped; undefined if they are not. */
export function reasonNotToUsePgBouncer(): string | undefined {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `pgbouncer does not run (${(error as Error).message})`;
  }
}

/** Starts Debian's PgBouncer. It ignores no startup parameter. */
export async function startPgBouncer(postgresPort: number, mode: PoolMode): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  await chmod(directory, 0o755);
  const [port] = (await freePorts(1)) as [number];
  const file = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (owner.uid !== undefined) await chown(path, owner.uid, owner.gid);
    return path;
  };
  const configure = async (mode: PoolMode, users: string) =>
    file(
      'pgbouncer.ini',
      `[databases]
* = host=127.0.0.1 port=${postgresPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = 60
`,
    );
  const users = await file('users.txt', '"payments" "payments"\n');
  const child = spawn('pgbouncer', [await configure(mode, users)], {
    ...owner,
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const output: string[] = [];
  let wanted = { text: 'process up', found: Promise.withResolvers<void>() };
  createInterface(child.stderr).on('line', (line) => {
    output.push(line);
    if (line.includes(wanted.text)) wanted.found.resolve();
  });
  const closed = once(child, 'close').then(() => {
    wanted.found.reject(new Error(`pgbouncer has ended:\n${output.join('\n')}`));
  });
  const logged = (text: string) => {
    wanted = { text, found: Promise.withResolvers<void>() };
    return wanted.found.promise;
  };
  await wanted.found.promise;

  return {
    through(url) {
      const pooled = new URL(url);
      pooled.port = String(port);
      return pooled.href;
    },
    async setMode(mode) {
      await configure(mode, users);
      const reloaded = logged('re-reading config');
      child.kill('SIGHUP');
      await reloaded;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed.catch(() => {});
      await rm(directory, { recursive: true });
    },
  };
}
