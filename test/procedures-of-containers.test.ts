import { readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProject, hang, type Project } from './procedures.ts';
import { docker } from './trio-of-containers.ts';

/** Backup, restore and the copy to PostgreSQL, each from the state in which it is needed. The tests are one story. */

/** Its volumes are small, so that a file fills them. */
const small = (name: string, size: string) =>
  `volumes:\n  ${name}:\n    driver_opts: { type: tmpfs, device: tmpfs, o: "size=${size},mode=0777" }\n`;
const scaled = 'docker-compose.yml:docker-compose.scale.yml';

let project: Project;
let backup: string;
let saved: string[];
beforeAll(async () => {
  project = await createProject('docker-compose.yml');
  project.set(
    'COMPOSE_FILE',
    `docker-compose.yml:${await project.write('small.yml', small('payments', '24m'))}`,
  );
  await project.compose('build', '--quiet');
  expect((await project.ops('up')).code).toBe(0);
  await keep('payments', '/data');
});
afterAll(async () => {
  await docker('rm', '--force', keeper());
  await project[Symbol.asyncDispose]();
});

/** Holds a volume, because one in memory is empty once no container has it. */
const keeper = () => `${project.name}-keeper`;
async function keep(volume: string, folder: string): Promise<void> {
  await docker('rm', '--force', keeper());
  const mounted = `${project.name}_${volume}:${folder}`;
  const options = ['--detach', '--init', '--user', '0', '--name', keeper(), '--volume', mounted];
  // Not from an image of the project, whose labels would make it a container of the service.
  await docker('run', ...options, 'node:26-slim', 'sleep', 'infinity');
}
const inVolume = (command: string) => docker('exec', keeper(), 'sh', '-c', command);
const file = (name: string) => join(project.folder, name);
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

/** All that a failure must leave as it was. */
async function expectUnchanged(service: string, paid: string[]): Promise<void> {
  expect(await project.payments(service)).toEqual(paid);
  expect((await readdir(project.folder)).filter((name) => /part/.test(name))).toEqual([]);
}

test('given a hung payment-service and a file that an earlier backup left, ops/backup writes one for its owner alone', async () => {
  saved = [await project.pay('payment-service'), await project.pay('payment-service')].sort();
  await inVolume('touch /data/backup.db');
  const [service = ''] = await project.of('payment-service');
  await hang(service);

  backup = file('payments.db');
  const { code, out } = await project.ops('backup', ['payments.db']);
  await docker('exec', service, 'bash', '-c', 'kill -CONT -1');

  expect([code, out]).toEqual([0, `${backup} has 2 payments\n`]);
  expect(await modeOf(backup)).toBe('600');
  expect((await project.ops('backup', ['payments.db'])).err).toMatch('exists already');
});

test('given a full volume, ops/backup and ops/restore change nothing, and leave no file', async () => {
  await inVolume(
    'fallocate -l $(($(df -Pk /data | tail -n 1 | tr -s " " | cut -d " " -f 4) - 1000))K /data/ballast',
  );

  const failed = [await project.ops('backup', ['full.db']), await project.ops('restore', ['payments.db'])];
  const files = await inVolume('ls /data');
  await inVolume('rm /data/ballast');

  for (const { code, err } of failed) {
    expect(code).toBe(1);
    expect(err).toMatch(/^ops\/\w+: .*too little space in \/data: \d+ MB are needed, \d MB are free\n$/);
  }
  expect(files.split('\n').filter((name) => !/^(payments\.db.*|backup\.db|ballast)$/.test(name))).toEqual([]);
  await expectUnchanged('payment-service', saved);
  expect(await readdir(project.folder)).toEqual(['payments.db', 'small.yml']);
});

test('given a file that is no sound backup, ops/restore refuses it, and the service continues', async () => {
  const bytes = await readFile(backup);
  await project.write('cut.db', bytes.toString('latin1'));
  await truncate(file('cut.db'), 5000);
  await project.write('empty.db', '');
  await project.write('other.db', 'something else');
  const reasons = [];
  for (const name of ['missing.db', 'empty.db', 'other.db', 'cut.db'])
    reasons.push((await project.ops('restore', [name])).err);

  expect(reasons).toEqual([
    expect.stringMatching('there is no file'),
    expect.stringMatching('is empty'),
    expect.stringMatching('is not a backup of SQLite: nothing was changed'),
    expect.stringMatching('nothing was changed: the copy is not a sound database'),
  ]);
  await expectUnchanged('payment-service', saved);
});

test('given a service that ends again and again, ops/restore brings the backup back, and no SMS is sent again', async () => {
  const later = await project.pay('payment-service');
  const sent = await project.messages();
  project.set('MAX_CONCURRENT_REQUESTS', 'banana');
  await project.compose('up', '--detach', '--no-deps', 'payment-service');
  project.set('MAX_CONCURRENT_REQUESTS', '');

  const { code, out } = await project.ops('restore', ['payments.db']);

  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/^The former files are in \/data\/before-.*\n2 payments/),
  ]);
  await expectUnchanged('payment-service', saved);
  expect(await inVolume('grep -c "" /data/before-*/payments.db > /dev/null; ls /data')).toMatch('before-');
  expect([sent, await project.messages()]).toEqual([3, 3]);
  expect(await project.payments('payment-service')).not.toContain(later);
});

test('given a new machine, ops/restore brings the payments back and starts the services', async () => {
  await docker('rm', '--force', keeper());
  await project.compose('down', '--volumes', '--timeout', '1');
  project.set('COMPOSE_FILE', 'docker-compose.yml');

  const { code, out } = await project.ops('restore', ['payments.db']);

  expect([code, out]).toEqual([0, '2 payments were restored.\n']);
  await expectUnchanged('payment-service', saved);
  await project.pay('payment-service');
  expect(await project.messages()).toBe(1);
});

test('ops/copy-to-postgres copies the payments, and starts the replicas', async () => {
  const paid = await project.payments('payment-service');
  project.set('COMPOSE_FILE', `${scaled}:${await project.write('postgres.yml', small('postgres', '256m'))}`);
  await project.compose('up', '--no-start');
  await keep('postgres', '/var/lib/postgresql/data');

  const replicas = ['payment-service=1', 'aldeamo-service=1', 'twilio-service=1'];
  const { code, err } = await project.ops('copy-to-postgres', replicas);

  expect([code, err.match(/^ops\/.*/m)]).toEqual([0, null]);
  expect(await project.payments('nginx')).toEqual(paid);
  saved = [...paid, await project.pay('nginx')].sort();

  // Again, by mistake: the volume with SQLite is still there.
  const again = await project.ops('copy-to-postgres', replicas);
  expect([again.code, again.err]).toEqual([
    1,
    expect.stringMatching('runs on PostgreSQL already; nothing was changed'),
  ]);
  expect(await project.payments('nginx')).toEqual(saved);
});

test('given a wrong password or a full disk, ops/restore changes nothing in PostgreSQL', async () => {
  expect((await project.ops('backup', ['payments.dump'])).out).toMatch('has 4 payments');
  expect(await modeOf(file('payments.dump'))).toBe('600');
  const bytes = await readFile(file('payments.dump'));
  await project.write('cut.dump', bytes.subarray(0, 9000).toString('latin1'));
  const wrong = await project.ops('restore', ['payments.dump'], { POSTGRES_PASSWORD: 'wrong' });
  const cut = await project.ops('restore', ['cut.dump']);
  await inVolume(
    'fallocate -l $(($(df -Pk /var/lib/postgresql/data | tail -n 1 | tr -s " " | cut -d " " -f 4) - 20000))K /var/lib/postgresql/data/ballast',
  );
  const full = await project.ops('restore', ['payments.dump']);
  await inVolume('rm /var/lib/postgresql/data/ballast');

  expect([wrong.code, wrong.err]).toEqual([
    1,
    expect.stringMatching('nothing was changed: password authentication failed'),
  ]);
  expect([cut.code, cut.err]).toEqual([1, expect.stringMatching('nothing was changed')]);
  expect([full.code, full.err]).toEqual([
    1,
    expect.stringMatching(/too little space .*; nothing was changed/),
  ]);
  expect((await project.ops('sql', ['SELECT datname FROM pg_database'])).out).not.toMatch('payments_');
  await expectUnchanged('nginx', saved);
});

test('given a hung replica, ops/restore brings the backup back, with the record of what was sent since', async () => {
  await project.pay('nginx');
  const [replica = ''] = await project.of('payment-service');
  await hang(replica);

  const { code, out } = await project.ops('restore', ['payments.dump']);

  expect([code, out]).toEqual([0, expect.stringMatching('4 payments were restored')]);
  expect(out).toMatch(/The former database is payments_before_.*\nThe record of sends since .* was copied/);
  await expectUnchanged('nginx', saved);
  expect((await project.ops('sql', ['SELECT count(*) AS sends FROM sends'])).out).toMatch(/^ +2$/m);
  expect(await project.messages()).toBe(0);
});

test('given a new machine, ops/restore starts PostgreSQL and the services, and marks the sends before as unknown', async () => {
  await docker('rm', '--force', keeper());
  await project.compose('down', '--volumes', '--timeout', '1');
  project.set('COMPOSE_FILE', scaled);

  const { code, out } = await project.ops('restore', ['payments.dump']);

  expect([code, out]).toEqual([0, expect.stringMatching('sends before now are marked as unknown')]);
  await expectUnchanged('nginx', saved);
  await project.pay('nginx');
  expect(await project.messages()).toBe(1);
});
