import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { DockerComposeEnvironment, Wait } from 'testcontainers';
import { eventually } from './eventually.ts';
import { readMetrics, scanService } from './leaks.ts';
import { parseLog, type ServiceName, type Trio } from './trio.ts';

const run = promisify(execFile);
const docker = async (...args: string[]) => (await run('docker', args, { maxBuffer: 2 ** 28 })).stdout.trim();

/** Of all the times it has run, with what went to stderr. */
async function allOutput(container: string): Promise<string[]> {
  const { stdout, stderr } = await run('docker', ['logs', container], { maxBuffer: 2 ** 28 });
  return `${stdout}\n${stderr}`.split('\n').filter(Boolean);
}

const ports: Record<ServiceName, number> = {
  'payment-service': 8000,
  'aldeamo-service': 8001,
  'twilio-service': 8002,
};

/** The repo's own docker-compose.yml, on ports that the engine chooses. */
export async function startContainers(settings: Record<string, string>): Promise<Trio> {
  const project = `trio-${randomUUID()}`;
  const environment = await new DockerComposeEnvironment('.', 'docker-compose.yml')
    .withProjectName(project)
    .withEnvironment({
      ...settings,
      PAYMENT_SERVICE_PORT: '0',
      ALDEAMO_SERVICE_PORT: '0',
      TWILIO_SERVICE_PORT: '0',
    })
    .withDefaultWaitStrategy(Wait.forHealthCheck())
    .withBuild()
    .up();

  const id = (service: ServiceName) => environment.getContainer(`${service}-1`).getId();
  const urls = new Map<ServiceName, string>();
  // The engine chooses anew at each start.
  const findUrl = async (service: ServiceName) =>
    urls.set(service, `http://${await docker('port', id(service), `${ports[service]}/tcp`)}`);
  await Promise.all((Object.keys(ports) as ServiceName[]).map(findUrl));

  return {
    url: (service) => urls.get(service) as string,
    freeze: async (service) => void (await docker('pause', id(service))),
    thaw: async (service) => void (await docker('unpause', id(service))),
    kill: async (service) => void (await docker('kill', id(service))),
    terminate: async (service) => void (await docker('kill', '--signal', 'TERM', id(service))),
    exitCode: async (service) => Number(await docker('wait', id(service))),
    async start(service) {
      await docker('start', id(service));
      await findUrl(service);
      const health = () => docker('inspect', '--format', '{{.State.Health.Status}}', id(service));
      await eventually(health, (status) => status === 'healthy', 30_000);
    },
    logs: async (service) => parseLog(await docker('logs', id(service))),
    async [Symbol.asyncDispose]() {
      const services = Object.keys(ports) as ServiceName[];
      const metrics = await Promise.all(services.map((service) => readMetrics(urls.get(service) as string)));
      const logs = await Promise.all(services.map((service) => allOutput(id(service))));
      await environment.down({ removeVolumes: true, timeout: 1000 });
      await docker('image', 'rm', ...services.map((service) => `${project}-${service}`));
      services.forEach((service, index) => {
        scanService(service, logs[index] ?? [], metrics[index] ?? []);
      });
    },
  };
}
