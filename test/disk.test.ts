import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-'));
});
afterEach(() => rm(folder, { recursive: true }));

const statusOf = async (trio: Trio, path: string) =>
  (await call('GET', trio.url('payment-service') + path)).status;
const sent = async (trio: Trio) =>
  (await call<{ data: unknown[] }>('GET', `${trio.url('aldeamo-service')}/sandbox/messages`)).body.data
    .length;

test('given a full disk, POST /payments returns 503, logs the reason and sends nothing', async () => {
  // Limits files to 400 KiB, of which the empty database takes more than half. The trap ignores SIGXFSZ, which would kill the process instead of failing its write.
  await using trio = await startProcesses(
    { ALDEAMO_LATENCY_MS: '0' },
    { prelude: "trap '' XFSZ; ulimit -f 400;" },
  );
  const message = 'x'.repeat(1600);
  const answers = [];
  while (answers.filter(({ status }) => status === 503).length < 10) {
    answers.push(await pay(trio.url('payment-service'), { customer_id: 'disk', message }));
    expect(answers.length).toBeLessThan(1000);
  }

  const refused = answers.filter(({ status }) => status !== 201);
  for (const { status, headers, body } of refused) {
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('1');
    expect(body).toMatchObject({ type: '/problems/store-unavailable' });
  }
  expect(await sent(trio)).toBe(answers.length - refused.length);
  expect(await statusOf(trio, '/health/live')).toBe(200);
  await eventually(
    () => trio.logs('payment-service'),
    (lines) => JSON.stringify(lines).includes('the store does not answer'),
    5000,
  );
});

test('given a data directory that cannot be written, POST /payments returns 503 until it can, without a restart', async () => {
  // A file in place of the directory, because a read-only directory does not stop root.
  const obstacle = join(folder, 'data');
  await writeFile(obstacle, '');
  await using trio = await startProcesses({ DATABASE_URL: `file:${obstacle}/payments.db` });

  expect((await pay(trio.url('payment-service'), { customer_id: 'disk' })).status).toBe(503);
  expect(await statusOf(trio, '/health/ready')).toBe(503);
  const unavailable = { status: 200, body: { status: 'unhealthy', reasons: ['store_unavailable'] } };
  expect(await call('GET', `${trio.url('payment-service')}/health`)).toMatchObject(unavailable);
  expect(await sent(trio)).toBe(0);
  const why = 'the database cannot be opened; payments are refused until it can';
  await eventually(
    () => trio.logs('payment-service'),
    (lines) => lines.some(({ level, msg }) => level === 50 && String(msg).startsWith(why)),
    5000,
  );

  await rm(obstacle);
  await eventually(
    () => statusOf(trio, '/health/ready'),
    (status) => status === 200,
    10_000,
  );
  expect((await pay(trio.url('payment-service'), { customer_id: 'disk' })).status).toBe(201);
  const { body } = await call<{ status: string }>('GET', `${trio.url('payment-service')}/health`);
  expect(body.status).toBe('healthy');
});

test('given a copy in the place of its database, payment-service answers 503 until the file is back, and has lost nothing', async () => {
  const path = join(folder, 'payments.db');
  await using trio = await startProcesses({ DATABASE_URL: `file:${path}` });
  const service = trio.url('payment-service');
  const payments = async () =>
    (await call<{ data: unknown[] }>('GET', `${service}/payments?limit=100`)).body.data.length;
  for (let n = 0; n < 3; n += 1) expect((await pay(service, { customer_id: 'disk' })).status).toBe(201);

  await rename(path, `${path}.moved`);
  await copyFile(`${path}.moved`, path);
  for (let n = 0; n < 3; n += 1) {
    const { status, body } = await pay(service, { customer_id: 'disk' });
    expect([status, body]).toMatchObject([503, { type: '/problems/store-unavailable' }]);
  }
  expect(await statusOf(trio, '/health/ready')).toBe(503);
  expect(await statusOf(trio, '/health/live')).toBe(200);

  await rename(`${path}.moved`, path);
  expect(await statusOf(trio, '/health/ready')).toBe(200);
  expect((await pay(service, { customer_id: 'disk' })).status).toBe(201);
  const about = async (words: RegExp) =>
    (await trio.logs('payment-service')).filter(({ msg }) => words.test(String(msg)));
  await eventually(
    () => about(/files of the database are back/),
    ({ length }) => length === 1,
    5000,
  );
  expect(await about(/removed, renamed or replaced/)).toMatchObject([
    { level: 50, fault: expect.stringMatching(/^payments\.db is /) },
  ]);
  await trio.kill('payment-service');
  await trio.start('payment-service');
  expect(await payments()).toBe(4);
});

test.each([
  '000',
  '022',
])("given umask %s, the database is its owner's alone, also one that others could read before", async (umask) => {
  const data = join(folder, 'shared', 'made', 'data');
  await mkdir(join(folder, 'shared'));
  await chmod(join(folder, 'shared'), 0o755);
  const settings = { DATABASE_URL: `file:${data}/payments.db` };
  await using trio = await startProcesses(settings, { prelude: `umask ${umask};` });
  const service = trio.url('payment-service');
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  const modes = async () =>
    Object.fromEntries(
      await Promise.all((await readdir(data)).map(async (name) => [name, await modeOf(join(data, name))])),
    );
  const closed = { 'payments.db': '600', 'payments.db-shm': '600', 'payments.db-wal': '600' };

  expect((await pay(service, { customer_id: 'disk' })).status).toBe(201);
  expect(await modes()).toEqual(closed);
  expect(await Promise.all([data, join(data, '..'), join(data, '../..')].map(modeOf))).toEqual([
    '700',
    '700',
    '755',
  ]);

  await trio.kill('payment-service'); // a kill leaves all three files
  for (const name of Object.keys(closed)) await chmod(join(data, name), 0o644);
  await chmod(data, 0o755);
  await trio.start('payment-service');
  expect((await pay(service, { customer_id: 'disk' })).status).toBe(201);
  expect(await modes()).toEqual(closed);
  expect(await modeOf(data)).toBe('755');
});
