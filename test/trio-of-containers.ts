import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { DockerComposeEnvironment, Wait } from 'testcontainers';
import { eventually } from './eventually.ts';
import { scanService } from './leaks.ts';
import { type LogLine, parseLog, type ServiceName, serviceNames, type Trio } from './trio.ts';

const run = promisify(execFile);
export const docker = async (...args: string[]) =>
  (await run('docker', args, { maxBuffer: 2 ** 28 })).stdout.trim();

/** Returns the output of all runs of a container, with stderr. */
async function allOutput(container: string): Promise<string[]> {
  const { stdout, stderr } = await run('docker', ['logs', container], { maxBuffer: 2 ** 28 });
  return `${stdout}\n${stderr}`.split('\n').filter(Boolean);
}

export const logsOf = async (container: string): Promise<LogLine[]> =>
  parseLog(await docker('logs', container));

export async function startContainer(container: string): Promise<void> {
  await docker('start', container);
  const health = () => docker('inspect', '--format', '{{.State.Health.Status}}', container);
  // Polls no more often, because each poll starts a process on the cores that the container needs for its start.
  await eventually(health, (status) => status === 'healthy', 30_000, 250);
}

/** Sends the request from within the container, because it may have no port on this machine. */
export const ask = (container: string, path: string) =>
  docker(
    'exec',
    container,
    'node',
    '--eval',
    `const answer = await fetch('http://127.0.0.1:' + process.env.PORT + '${path}', { signal: AbortSignal.timeout(10_000) });
     if (!answer.ok) throw new Error('status ' + answer.status);
     process.stdout.write(await answer.text());`,
  );

const ports: Record<ServiceName, number> = {
  'payment-service': 8000,
  'aldeamo-service': 8001,
  'twilio-service': 8002,
};

/** The containers that `docker compose up` has started, on ports that the engine chooses. */
interface Composed extends AsyncDisposable {
  container(service: string, number?: number): string;
  /** Changes with each start of the container. */
  findUrl(service: string, port: number): Promise<string>;
}

async function compose(
  files: string[],
  settings: Record<string, string>,
  upOptions: string[] = [],
): Promise<Composed> {
  const project = `trio-${randomUUID()}`;
  const environment = await new DockerComposeEnvironment('.', files)
    .withProjectName(project)
    .withEnvironment({
      // Compose sets a time, and the services of a test that are processes have no receipts either: this one does not come.
      ALDEAMO_DELIVERY_MS: '600000',
      TWILIO_DELIVERY_MS: '600000',
      ...settings,
      PAYMENT_SERVICE_PORT: '0',
      ALDEAMO_SERVICE_PORT: '0',
      TWILIO_SERVICE_PORT: '0',
    })
    .withClientOptions({ commandOptions: upOptions })
    .withDefaultWaitStrategy(Wait.forHealthCheck())
    .withBuild()
    .up();

  const container = (service: string, number = 1) => `${project}-${service}-${number}`;
  return {
    container,
    findUrl: async (service, port) => `http://${await docker('port', container(service), `${port}/tcp`)}`,
    async [Symbol.asyncDispose]() {
      const scan = await scanContainers(project);
      await environment.down({ removeVolumes: true, timeout: 1000 });
      await docker('image', 'rm', ...serviceNames.map((service) => `${project}-${service}`));
      scan();
    },
  };
}

/** Reads what the containers of a project have logged and measure, and returns the scan of it, for when they are gone. */
export async function scanContainers(project: string): Promise<() => void> {
  const ofProject = `label=com.docker.compose.project=${project}`;
  const names = (await docker('ps', '--all', '--filter', ofProject, '--format', '{{.Names}}')).split('\n');
  const logs = await Promise.all(names.map(allOutput));
  const metrics = await Promise.all(names.map((name) => ask(name, '/metrics').catch(() => '')));
  return () =>
    names.forEach((name, index) => {
      scanService(name, logs[index] ?? [], metrics[index]?.split('\n').filter(Boolean) ?? []);
    });
}

/** Starts docker-compose.yml. */
export async function startContainers(settings: Record<string, string>): Promise<Trio> {
  const composed = await compose(['docker-compose.yml'], settings);
  const { container } = composed;
  const urls = new Map<ServiceName, string>();
  const findUrl = async (service: ServiceName) =>
    urls.set(service, await composed.findUrl(service, ports[service]));
  await Promise.all(serviceNames.map(findUrl));

  return {
    url: (service) => urls.get(service) as string,
    freeze: async (service) => void (await docker('pause', container(service))),
    thaw: async (service) => void (await docker('unpause', container(service))),
    kill: async (service) => void (await docker('kill', container(service))),
    terminate: async (service) => void (await docker('kill', '--signal', 'TERM', container(service))),
    exitCode: async (service) => Number(await docker('wait', container(service))),
    async start(service) {
      await startContainer(container(service));
      await findUrl(service);
    },
    logs: (service) => logsOf(container(service)),
    [Symbol.asyncDispose]: () => composed[Symbol.asyncDispose](),
  };
}

export interface Replicas extends AsyncDisposable {
  /** The URL of nginx, which forwards to payment-service. */
  url: string;
  /** The container of PostgreSQL. */
  postgres: string;
  /** The containers of the service. */
  of(service: ServiceName): string[];
}

/** Starts docker-compose.yml with docker-compose.scale.yml. `scale` is the number of containers by service. */
export async function startReplicas(
  scale: Record<ServiceName, number>,
  settings: Record<string, string>,
): Promise<Replicas> {
  const composed = await compose(
    ['docker-compose.yml', 'docker-compose.scale.yml'],
    settings,
    serviceNames.flatMap((service) => ['--scale', `${service}=${scale[service]}`]),
  );
  return {
    url: await composed.findUrl('nginx', 8000),
    postgres: composed.container('postgres'),
    of: (service) =>
      Array.from({ length: scale[service] }, (_, index) => composed.container(service, index + 1)),
    [Symbol.asyncDispose]: () => composed[Symbol.asyncDispose](),
  };
}
