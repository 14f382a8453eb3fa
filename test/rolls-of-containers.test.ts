import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { createProject, hang, type Project } from './procedures.ts';
import { docker } from './trio-of-containers.ts';

/** ops/roll and ops/upgrade, each from the state in which it is needed. The tests are one story, in which no payment is lost. */

const scaled = 'docker-compose.yml:docker-compose.scale.yml';

let project: Project;
const paid: string[] = [];
let sent = 0;
beforeAll(async () => {
  project = await createProject(scaled);
  await project.compose('build', '--quiet');
  const { code, err } = await project.ops('up', [
    'payment-service=2',
    'aldeamo-service=1',
    'twilio-service=1',
  ]);
  expect([code, err.match(/^ops.*/m)]).toEqual([0, null]);
});
afterAll(() => project[Symbol.asyncDispose]());

/** Pays once more, and finds all payments, with one SMS each. */
async function expectService(): Promise<void> {
  paid.push(await project.pay('nginx'));
  sent += 1;
  expect(await project.payments('nginx')).toEqual(paid.toSorted());
  expect(await project.messages()).toBe(sent);
}

const imageOf = (container = '') => docker('inspect', '--format', '{{.Image}}', container);
const idOf = (image: string) => docker('image', 'inspect', '--format', '{{.Id}}', image);

/** A release that is the image of now with one more instruction. */
const release = (instruction: string) =>
  project.write(
    'release.yml',
    `services:\n  payment-service:\n    build:\n      context: ${project.folder}\n      args: !reset {}\n      dockerfile_inline: |\n        FROM ${project.name}-payment-service\n        ${instruction}\n`,
  );

test('given a hung replica, ops/roll removes it once the new ones are healthy, and again under their new names', async () => {
  await expectService();
  const old = await project.of('payment-service');
  await hang(old[0] as string);

  const { code, out } = await project.ops('roll', ['payment-service']);

  expect([code, out]).toEqual([0, 'payment-service: 2 new, 2 old removed\n']);
  const second = await project.of('payment-service');
  expect(second).toHaveLength(2);
  expect(second.filter((container) => old.includes(container))).toEqual([]);
  await docker('kill', second[0] as string);

  expect(await project.ops('roll', ['payment-service', '1'])).toMatchObject({
    code: 0,
    out: 'payment-service: 1 new, 2 old removed\n',
  });
  expect(await project.of('payment-service')).toHaveLength(1);
  await expectService();
});

test('given a setting with which no replica starts, ops/roll shows why, and starts none', async () => {
  const old = await project.of('payment-service');

  const { code, err } = await project.ops('roll', ['payment-service', '2'], {
    MAX_CONCURRENT_REQUESTS: 'banana',
  });

  expect(code).toBe(1);
  expect(err).toMatch(
    /^ops\/roll: the new release of payment-service cannot run .*\n {2}MAX_CONCURRENT_REQUESTS: must be a whole number\n$/,
  );
  expect(await project.of('payment-service')).toEqual(old);
  await expectService();
});

test('given a roll that runs, a second one is refused; given Ctrl-C, the first one removes the new replicas', async () => {
  const old = await project.of('payment-service');
  const env = { ...process.env, COMPOSE_PROJECT_NAME: project.name, COMPOSE_FILE: scaled };
  const first = spawn(resolve('ops/roll'), ['payment-service'], { env, detached: true, stdio: 'ignore' });
  const ended = once(first, 'exit');
  await eventually(
    () => project.of('payment-service'),
    (containers) => containers.length > old.length,
    30_000,
    250,
  );

  const second = await project.ops('roll', ['payment-service']);
  process.kill(-(first.pid as number), 'SIGINT');

  expect(second).toMatchObject({ code: 1, err: expect.stringMatching('another procedure runs') });
  expect(await ended).toEqual([1, null]);
  expect(await project.of('payment-service')).toEqual(old);
  await expectService();
});

test('given a service that does not exist, does not run or has no image, ops/roll says so', async () => {
  const refused = [
    await project.ops('roll', ['payments']),
    await project.ops('roll', ['payment-service'], { COMPOSE_FILE: 'docker-compose.yml' }),
    await project.ops('roll', ['payment-service'], { COMPOSE_PROJECT_NAME: `${project.name}-other` }),
  ];
  expect(refused.map(({ code }) => code)).toEqual([1, 1, 1]);
  expect(refused.map(({ err }) => err)).toEqual([
    expect.stringMatching(/^ops\/roll: there is no service payments: /),
    expect.stringMatching('has a port of this machine'),
    expect.stringMatching('does not run: start it with ops/up'),
  ]);
});

const imageNow = async () => imageOf((await project.of('payment-service'))[0]);

test('given a release that does not start, ops/upgrade keeps the one that runs', async () => {
  const former = await imageNow();
  project.set('COMPOSE_FILE', `${scaled}:${await release('LABEL release=2')}`);
  expect(await project.ops('upgrade')).toMatchObject({ code: 0 });
  sent = 0; // the sandboxes are new
  const upgraded = await imageNow();
  expect(upgraded).not.toBe(former);
  await expectService();
  await release('CMD ["false"]');

  const { code, err } = await project.ops('upgrade');

  sent = 0;
  expect(code).toBe(1);
  expect(err).toMatch(/ops\/upgrade: stopped at payment-service; .* ops\/upgrade --back returns\n$/);
  expect(await imageNow()).toBe(upgraded);
  await expectService();
  const running = await project.of('payment-service');
  expect(await project.ops('up')).toMatchObject({ code: 0 });
  expect(await project.of('payment-service')).toEqual(running);
}, 180_000);

test('ops/upgrade --back returns to the images of before, also after an upgrade that failed', async () => {
  const running = await imageNow();

  expect(await project.ops('upgrade', ['--back'])).toMatchObject({ code: 0 });

  sent = 0;
  expect(await imageNow()).toBe(running);
  expect(await idOf(`${project.name}-payment-service`)).toBe(running);
  await expectService();
}, 120_000);
