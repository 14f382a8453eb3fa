import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Certificate } from './doubles/certificates.ts';
import { freePorts } from './free-ports.ts';
import { owner } from './postgres-server.ts';

/** Settings of pgbouncer.ini. */
interface Settings {
  pool_mode?: 'session' | 'transaction' | 'statement';
  default_pool_size?: number;
  max_client_conn?: number;
}

interface PgBouncerOptions extends Settings {
  /** Then clients must use TLS. */
  certificate?: Certificate;
}

interface PgBouncer extends AsyncDisposable {
  /** The URL of the same database through the pooler. */
  through(url: string): string;
  /** Changes settings while it runs. */
  configure(changes: Settings): Promise<void>;
  /** Kills it, and starts it again. */
  restart(): Promise<void>;
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
export async function startPgBouncer(
  postgresPort: number,
  { certificate, ...initial }: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  await chmod(directory, 0o755);
  const [port] = (await freePorts(1)) as [number];
  const file = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (owner.uid !== undefined) await chown(path, owner.uid, owner.gid);
    return path;
  };
  const users = await file('users.txt', '"payments" "payments"\n');
  const tls = certificate && {
    client_tls_sslmode: 'require',
    client_tls_cert_file: await file('client.crt', certificate.cert),
    client_tls_key_file: await file('client.key', certificate.key),
  };
  let settings: Settings = { pool_mode: 'session', default_pool_size: 60, ...initial };
  const configure = async () =>
    file(
      'pgbouncer.ini',
      `[databases]
* = host=127.0.0.1 port=${postgresPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
server_login_retry = 1
auth_type = scram-sha-256
auth_file = ${users}
${Object.entries({ ...settings, ...tls })
  .map(([name, value]) => `${name} = ${value}\n`)
  .join('')}`,
    );
  const output: string[] = [];
  let wanted = { text: '', found: Promise.withResolvers<void>() };
  const logged = (text: string) => {
    wanted = { text, found: Promise.withResolvers<void>() };
    return wanted.found.promise;
  };

  async function start() {
    const child = spawn('pgbouncer', [await configure()], {
      ...owner,
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const isUp = logged('process up');
    createInterface(child.stderr).on('line', (line) => {
      output.push(line);
      if (line.includes(wanted.text)) wanted.found.resolve();
    });
    const closed = once(child, 'close').then(() => {
      wanted.found.reject(new Error(`pgbouncer has ended:\n${output.join('\n')}`));
    });
    await isUp;
    return {
      child,
      async kill() {
        child.kill('SIGKILL');
        await closed;
      },
    };
  }
  let running = await start();

  return {
    through(url) {
      const pooled = new URL(url);
      pooled.port = String(port);
      return pooled.href;
    },
    async configure(changes) {
      settings = { ...settings, ...changes };
      await configure();
      const reloaded = logged('re-reading config');
      running.child.kill('SIGHUP');
      await reloaded;
    },
    async restart() {
      await running.kill();
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await running.kill();
      await rm(directory, { recursive: true });
    },
  };
}
