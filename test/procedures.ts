import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { pay } from './http.ts';
import { ask, docker, scanContainers } from './trio-of-containers.ts';

const run = promisify(execFile);

interface Ended {
  code: number;
  out: string;
  err: string;
}

/** A Compose project that the scripts of ops/ start and change. */
export interface Project extends AsyncDisposable {
  name: string;
  /** A folder for the files of the test. */
  folder: string;
  /** Runs a script of ops/, from the folder of the test. */
  ops(script: string, args?: string[], settings?: Record<string, string>): Promise<Ended>;
  compose(...args: string[]): Promise<string>;
  /** Sets a variable of Compose for all that follows. */
  set(name: string, value: string): void;
  /** Writes a file of the folder, and returns its path. */
  write(file: string, text: string): Promise<string>;
  /** The ids of the containers of a service that run. */
  of(service: string): Promise<string[]>;
  /** Pays once at the port of a service, and returns the id. */
  pay(service: string): Promise<string>;
  payments(service: string): Promise<string[]>;
  /** The SMS that the sandboxes have accepted since they started. */
  messages(): Promise<number>;
}

/** Suspends all processes of a container but its first one, as a hang does. */
export const hang = (container: string) => docker('exec', container, 'bash', '-c', 'kill -STOP -1');

export async function createProject(files: string): Promise<Project> {
  const name = `procedures-${randomUUID()}`;
  const folder = await mkdtemp(join(tmpdir(), 'procedures-'));
  const ports = { PAYMENT_SERVICE_PORT: '0', ALDEAMO_SERVICE_PORT: '0', TWILIO_SERVICE_PORT: '0' };
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...ports,
    COMPOSE_PROJECT_NAME: name,
    COMPOSE_FILE: files,
  };
  const idsOf = async (...filters: string[]) => {
    const labels = [`com.docker.compose.project=${name}`, ...filters].flatMap((label) => [
      '--filter',
      `label=${label}`,
    ]);
    return (await docker('ps', '--quiet', '--no-trunc', ...labels)).split('\n').filter(Boolean);
  };
  const of = (service: string) => idsOf(`com.docker.compose.service=${service}`);
  async function urlOf(service: string): Promise<string> {
    const [container = ''] = await of(service);
    return `http://${await docker('port', container, '8000/tcp')}`;
  }

  return {
    name,
    folder,
    of,
    ops: (script, args = [], settings = {}) =>
      run(resolve('ops', script), args, {
        cwd: folder,
        env: { ...env, ...settings },
        maxBuffer: 2 ** 26,
      }).then(
        ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
        ({ code, stdout, stderr }) => ({ code, out: stdout, err: stderr }),
      ),
    compose: async (...args) => (await run('docker', ['compose', ...args], { env })).stdout.trim(),
    set(variable, value) {
      env[variable] = value;
    },
    async write(file, text) {
      await writeFile(join(folder, file), text);
      return join(folder, file);
    },
    async pay(service) {
      const { status, body } = await pay(await urlOf(service), { customer_id: '1', phone: '+573001234567' });
      if (status !== 201) throw new Error(`POST /payments returned ${status}: ${JSON.stringify(body)}`);
      return body.payment_id;
    },
    async payments(service) {
      const answer = await fetch(`${await urlOf(service)}/payments?limit=100`);
      const { data } = (await answer.json()) as { data: PaymentView[] };
      return data.map(({ payment_id }) => payment_id).sort();
    },
    async messages() {
      const providers = (await Promise.all(['aldeamo-service', 'twilio-service'].map(of))).flat();
      const ledgers = await Promise.all(providers.map((provider) => ask(provider, '/sandbox/messages')));
      return ledgers.flatMap((ledger) => JSON.parse(ledger).data).length;
    },
    async [Symbol.asyncDispose]() {
      const scan = await scanContainers(name);
      for (const all of ['docker-compose.yml', String(env.COMPOSE_FILE)])
        await run('docker', ['compose', 'down', '--volumes', '--timeout', '1'], {
          env: { ...env, COMPOSE_FILE: all },
        });
      const images = await docker('images', '--quiet', `${name}-*`);
      if (images) await docker('image', 'rm', '--force', ...new Set(images.split('\n')));
      await rm(folder, { recursive: true });
      scan();
    },
  };
}
