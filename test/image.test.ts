import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from './eventually.ts';
import { serviceNames } from './trio.ts';
import { docker } from './trio-of-containers.ts';

/** What a platform that runs the images sees of them: their descriptions, and each on its own. */

const imageOf = (service: string) => `image-test-${service}`;
const revision = '0123456789abcdef';
beforeAll(async () => {
  for (const service of serviceNames) {
    const args = ['--build-arg', `SERVICE=${service}`, '--build-arg', `REVISION=${revision}`];
    await docker('build', '--quiet', '--tag', imageOf(service), ...args, '.');
  }
});
afterAll(() => docker('image', 'rm', '--force', ...serviceNames.map(imageOf)));

const inspect = async (what: string) => JSON.parse(await docker('inspect', what))[0];

describe.each(serviceNames)('the image of %s', (service) => {
  test('adds 40 MB to its base at most', async () => {
    const [, base] = /^FROM (\S+)$/m.exec(await readFile('Dockerfile', 'utf8')) as unknown as [
      string,
      string,
    ];
    const added = (await inspect(imageOf(service))).Size - (await inspect(base)).Size;
    expect(added).toBeLessThan(40e6);
  });

  test('names in its labels what it is, with the version of package.json', async () => {
    const { description, version, license } = JSON.parse(await readFile('package.json', 'utf8'));
    expect((await inspect(imageOf(service))).Config.Labels).toEqual({
      'org.opencontainers.image.title': service,
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': revision,
      'org.opencontainers.image.licenses': license,
    });
  });

  test('runs as a user with a number, owns none of the code, and has no npm', async () => {
    expect((await inspect(imageOf(service))).Config.User).toBe('1000:1000');
    const search = `type -P npm npx corepack yarn; find / -xdev -name npm-cli.js
      find /app -path '/app/compiled*' -prune -o -writable -print`;
    const found = await docker(
      'run',
      '--rm',
      imageOf(service),
      'bash',
      '-c',
      `{ ${search}; } 2>/dev/null; :`,
    );
    expect(found).toBe('');
  });
});

const lastCheckOf = (container: string) => async () =>
  (await inspect(container)).State.Health.Log.at(-1)?.Output;
const ready = (output?: string) => output === 'ready\n';
const unanswered = (output?: string) => output === 'not ready: no answer within 2 seconds\n';

test('given a service that hangs, the health check prints why, and leaves no process in a container without init', async () => {
  const container = await docker(
    'run',
    '--detach',
    '--env',
    'ALLOW_ANONYMOUS=true',
    imageOf('payment-service'),
  );
  onTestFinished(async () => void (await docker('rm', '--force', '--volumes', container)));
  await eventually(lastCheckOf(container), ready, 45_000, 250);

  await docker('kill', '--signal', 'STOP', container);
  await eventually(lastCheckOf(container), unanswered, 20_000, 250);
  const processes = async () =>
    (await docker('top', container, '-o', 'pid,comm')).split('\n').map((line) => line.trim().split(/\s+/)[1]);
  await eventually(processes, (names) => `${names}` === 'COMMAND,node-MainThread', 20_000, 250);
});

test('given nginx without replicas, its health check reports ready, and why not once its workers hang', async () => {
  const project = `image-test-${randomUUID()}`;
  const files = ['docker-compose.yml', 'docker-compose.scale.yml'].flatMap((file) => ['--file', file]);
  const compose = (...args: string[]) => docker('compose', '--project-name', project, ...files, ...args);
  // Not `up`, which would use the port of the settings. `down` leaves what `run` has started.
  const container = await compose('run', '--detach', '--no-deps', 'nginx');
  onTestFinished(async () => {
    await docker('rm', '--force', '--volumes', container);
    await compose('down', '--volumes');
  });
  await eventually(lastCheckOf(container), ready, 45_000, 250);

  const stopWorkers = `for each in /proc/[0-9]*; do
    if [ "$(<"$each/comm")" = nginx ] && [ "$each" != /proc/1 ]; then kill -STOP "\${each#/proc/}"; fi
  done`;
  await docker('exec', container, 'bash', '-c', stopWorkers);
  await eventually(lastCheckOf(container), unanswered, 20_000, 250);
});

test.each([
  [['docker-compose.yml'], 3],
  [['docker-compose.yml', 'docker-compose.scale.yml'], 5],
])('given %s, each container has a limit of memory, processes and logs', async (files, count) => {
  const args = files.flatMap((file) => ['--file', file]);
  const { services } = JSON.parse(await docker('compose', ...args, 'config', '--format', 'json'));
  expect(Object.keys(services)).toHaveLength(count);
  for (const [name, { mem_limit, pids_limit, logging }] of Object.entries<Record<string, never>>(services)) {
    expect([name, Number(mem_limit), pids_limit]).toEqual([
      name,
      expect.toSatisfy((bytes) => bytes > 0),
      expect.any(Number),
    ]);
    expect(logging).toMatchObject({ options: { 'max-size': '50m', 'max-file': '5' } });
  }
});
