import process from 'node:process';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { isReady, type NpmStart, services, spawnStart, starter, startJob } from './npm-start.ts';

const node = 'exec node scripts/start.js';
const npm = 'exec npm start';

/** STOP_TIMEOUT_MS; an ordinary stop takes much less. */
const stopTimeoutMs = 10_000;

async function kill({ pids }: NpmStart, command: string, signal: NodeJS.Signals): Promise<void> {
  const [pid] = await pids(command);
  process.kill(pid as number, signal);
}

/** Waits until no process of the job is left, and its ports are free. */
async function gone({ pids, urls }: NpmStart, withinMs = stopTimeoutMs): Promise<void> {
  await eventually(
    () => pids(''),
    ({ length }) => length === 0,
    withinMs,
  );
  for (const url of Object.values(urls)) await expect(fetch(url)).rejects.toThrow('fetch failed');
}

/** Resolves when a payment has begun to wait for Aldeamo. */
async function payWithoutEnd({ urls }: NpmStart): Promise<void> {
  await call('POST', `${urls.aldeamo}/sandbox`, { latency_ms: 600_000 });
  pay(urls.payment, { customer_id: 'start' }).catch(() => {});
  const list = `${urls.payment}/payments?customer_id=start`;
  await eventually(
    () => call<{ data: unknown[] }>('GET', list),
    ({ body }) => body.data.length === 1,
    10_000,
  );
}

test.each([
  ['the starter', node, starter],
  ['the starter under npm', npm, starter],
  ['npm', npm, 'npm start'],
])('given a SIGKILL of %s, the services stop', async (_what, command, killed) => {
  const started = await startJob(command);
  await kill(started, killed, 'SIGKILL');
  await gone(started);
});

test('given a SIGKILL of the starter and a payment under way, it is answered before payment-service ends', async () => {
  const started = await startJob(node, { settings: { ALDEAMO_LATENCY_MS: '1500' } });
  const underWay = pay(started.urls.payment, { customer_id: 'start' });
  await eventually(
    () => call<{ requests: number }>('GET', `${started.urls.aldeamo}/health`),
    ({ body }) => body.requests === 1,
    10_000,
  );
  await kill(started, starter, 'SIGKILL');
  expect((await underWay).body.notification_status).toBe('sent');
  await gone(started);
});

test.each([
  ['a reader that ends after three lines', 'npm start | head -3'],
  ['a reader that ends at once', `node scripts/start.js | true`],
])('given %s, the services stop, and standard error says why', async (_what, command) => {
  const started = await spawnStart(command);
  let output = '';
  started.job.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  expect(await started.ended).toEqual([0, null]);
  expect(output.match(/Standard output was closed.*\n/g)).toEqual([
    'Standard output was closed (EPIPE), as by | head: the services stop.\n',
  ]);
  await gone(started);
});

test.each([
  ['npm start'],
  [`node scripts/start.js`],
])('given a terminal that is closed, the services of %s stop', async (command) => {
  const started = await startJob(
    `exec script --quiet --return --command ${JSON.stringify(`exec ${command}`)} /dev/null`,
  );
  await kill(started, 'script\0--quiet', 'SIGKILL');
  await gone(started);
});

test('given a full disk behind its output, the starter goes on, and exits with 0', async () => {
  const started = await startJob(`${node} > /dev/full`);
  expect((await pay(started.urls.payment, { customer_id: 'start' })).status).toBe(201);
  expect(await isReady(started.urls.payment)).toBe(true);
  await kill(started, starter, 'SIGTERM');
  expect(await started.ended).toEqual([0, null]);
  await gone(started);
});

test.each([
  ['a pipe', node],
  ['a terminal', `script --quiet --return --command 'exec node scripts/start.js' /dev/null`],
])('given a reader of %s that stalls, payments are answered, and SIGTERM ends all with 0', async (_what, command) => {
  const started = await startJob(command, { reads: false, settings: { ALDEAMO_LATENCY_MS: '0' } });
  const headers = { 'x-request-id': 'x'.repeat(128) };
  // Each payment is about 2 KB of output: more than a pipe, a terminal and both of the services' pipes hold.
  for (let round = 0; round < 20; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 32 }, () =>
        call('POST', `${started.urls.payment}/payments`, { amount: 1, customer_id: 'stall' }, headers),
      ),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
  }
  const [pid] = await started.pids(starter);
  await kill(started, starter, 'SIGTERM');
  await eventually(
    () => started.pids(services),
    ({ length }) => length === 0,
    stopTimeoutMs,
  );
  await eventually(
    () => started.pids(starter),
    (left) => !left.includes(pid as number),
    2000,
  );
});

test.each([[node], [npm]])('given SIGTERM, `%s` ends its services and exits with 0', async (command) => {
  const started = await startJob(command);
  started.job.kill('SIGTERM');
  expect(await started.ended).toEqual([0, null]);
  await gone(started, 1000);
});

test('given SIGINT of the whole process group, as by Ctrl-C, npm start still stops in the ordinary way', async () => {
  const started = await startJob(npm);
  process.kill(-(started.job.pid as number), 'SIGINT');
  expect(await started.ended).toEqual([0, null]);
  await gone(started, 1000);
});

test('given a second SIGTERM while a payment is under way, the starter kills the services and exits with 1', async () => {
  const started = await startJob(node, {
    settings: {
      PROVIDER_TIMEOUT_MS: '60000',
      GATEWAY_TIMEOUT_MS: '59000',
      STOP_TIMEOUT_MS: '600000',
      CIRCUIT_RESET_TIMEOUT_MS: '61000',
      CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '600000',
      NOTIFICATION_LEASE_MS: '130000',
    },
  });
  await payWithoutEnd(started);
  let output = '';
  started.job.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await kill(started, starter, 'SIGTERM');
  await eventually(
    async () => output,
    (text) => text.includes('"msg":"stopping"'),
    5000,
  );
  await kill(started, starter, 'SIGTERM');
  expect(await started.ended).toEqual([1, null]);
  await gone(started, 1000);
});

test('given a service that does not end, the starter kills it after STOP_TIMEOUT_MS and exits with 1', async () => {
  const started = await startJob(node, {
    settings: { PROVIDER_TIMEOUT_MS: '300', GATEWAY_TIMEOUT_MS: '250', STOP_TIMEOUT_MS: '1000' },
  });
  for (const pid of await started.pids(services)) process.kill(pid, 'SIGSTOP');
  await kill(started, starter, 'SIGTERM');
  expect(await started.ended).toEqual([1, null]);
  await gone(started, 1000);
});
