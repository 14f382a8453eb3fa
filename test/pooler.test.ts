import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Snapshot } from '../payment-service/src/live/snapshot.ts';
import { createTestAuthority } from './doubles/certificates.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { reasonNotToUsePgBouncer, startPgBouncer } from './pgbouncer.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { untilReadiness } from './readiness.ts';
import type { ReplicaName } from './trio.ts';
import { replicaNames, startProcesses } from './trio-of-processes.ts';

const without = reasonNotToUsePgBouncer();
if (without && process.env.REQUIRE_PGBOUNCER === '1') throw new Error(`REQUIRE_PGBOUNCER=1, but ${without}`);

const paymentServices = replicaNames('payment-service', 2) as [ReplicaName, ReplicaName];
const [first, second] = paymentServices;
const withSends: ReplicaName[] = ['aldeamo-service', 'twilio-service'];
const services = [...paymentServices, ...withSends];

const why = without ? ` (skipped: ${without})` : '';

describe.skipIf(without)(`PgBouncer${why}`, () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres({ settings: { fsync: 'off' } });
  });
  afterAll(() => postgres[Symbol.asyncDispose]());

  const startReplicas = (url: string) =>
    startProcesses(
      { DATABASE_URL: url, SENDS_DATABASE_URL: url, ALDEAMO_LATENCY_MS: '0', TWILIO_LATENCY_MS: '0' },
      { replicas: { 'payment-service': 2 } },
    );
  type Replicas = Awaited<ReturnType<typeof startReplicas>>;
  const becomes = (trio: Replicas, status: number) => untilReadiness(trio, services, status);
  const logReason = (trio: Replicas, reason = 'is not in session mode') =>
    Promise.all(
      services.map((name) =>
        eventually(
          async () => {
            await fetch(`${trio.url(name)}/health/ready`); // one check may fail by a statement of another session
            return JSON.stringify(await trio.logs(name)).includes(reason);
          },
          (isLogged) => isLogged,
          10_000,
        ),
      ),
    );

  test('in session mode serves payments, keys, and messages between the replicas, until it is switched to transaction mode', async () => {
    const direct = await postgres.createDatabase();
    await using pooler = await startPgBouncer(postgres.port);
    await using trio = await startReplicas(pooler.through(direct));
    await becomes(trio, 200);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        pay(trio.url(paymentServices[index % 2] as ReplicaName), { customer_id: 'ana' }),
      ),
    );
    for (const { status, body } of answers)
      expect([status, body.notification_status, body.possible_duplicate]).toEqual([201, 'sent', false]);
    await eventually(
      async () => (await firstSnapshot(trio.url(second))).replicas.map(({ name }) => name),
      (names) => names.length === 2,
      10_000,
    );

    await pooler.configure({ pool_mode: 'transaction' });
    await becomes(trio, 503);
    await logReason(trio);
    await pooler.configure({ pool_mode: 'session' });
    await becomes(trio, 200);
    const { body } = await pay(trio.url(first), { customer_id: 'ana' });
    expect([body.notification_status, body.notification.attempts]).toMatchObject([
      'sent',
      [{ provider: 'Aldeamo', outcome: 'accepted' }],
    ]);
  });

  test.each([
    'transaction',
    'statement',
  ] as const)('in %s mode is refused: no service is ready, and each logs why', async (mode) => {
    await using pooler = await startPgBouncer(postgres.port, { pool_mode: mode });
    await using trio = await startReplicas(pooler.through(await postgres.createDatabase()));
    await becomes(trio, 503);
    await logReason(trio);
    const { status, body } = await call('POST', `${trio.url(first)}/payments`, {
      amount: 1,
      customer_id: 'ana',
    });
    expect([status, body.type]).toEqual([503, '/problems/store-unavailable']);
  });

  test('given TLS before it, a PgBouncer and then a PostgreSQL that restart under load interrupt payments, and each service recovers', async () => {
    using authority = createTestAuthority();
    await using pooler = await startPgBouncer(postgres.port, { certificate: authority.issue() });
    const url = new URL(pooler.through(await postgres.createDatabase()));
    url.searchParams.set('sslmode', 'verify-full');
    url.searchParams.set('sslrootcert', authority.caFile);
    await using trio = await startReplicas(url.href);
    await becomes(trio, 200);
    const restarts = [
      () => pooler.restart(),
      async () => {
        await postgres.stop();
        await postgres.start();
      },
    ];
    for (const restart of restarts) {
      const statuses = new Set<number>();
      let isOver = false;
      const lanes = paymentServices.map(async (name) => {
        while (!isOver) statuses.add((await pay(trio.url(name), { customer_id: 'ana' })).status);
      });
      await restart();
      await becomes(trio, 200);
      isOver = true;
      await Promise.all(lanes);
      for (const status of statuses) expect([201, 503]).toContain(status);
      for (const name of paymentServices)
        expect((await pay(trio.url(name), { customer_id: 'ana' })).body.notification_status).toBe('sent');
    }
  });

  test.each([
    ['default_pool_size', { default_pool_size: 1 }, { default_pool_size: 60 }, 'pool size of a pooler'],
    [
      'max_client_conn',
      { max_client_conn: 1 },
      { max_client_conn: 100 },
      'has no connection left, no more connections allowed (max_client_conn) (08P01): raise its max_client_conn',
    ],
  ])('given a %s that is too small, each service logs it, and is ready once it is raised', async (_name, small, large, reason) => {
    await using pooler = await startPgBouncer(postgres.port, small);
    await using trio = await startReplicas(pooler.through(await postgres.createDatabase()));
    await becomes(trio, 503);
    await logReason(trio, reason);
    await pooler.configure(large);
    await becomes(trio, 200);
    expect((await pay(trio.url(first), { customer_id: 'ana' })).status).toBe(201);
  });
});

async function firstSnapshot(url: string): Promise<Snapshot> {
  const end = new AbortController();
  const { body } = await fetch(`${url}/live/events`, { signal: end.signal });
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes('\n\n')) break;
  }
  end.abort();
  return JSON.parse((text.split('\n\n')[0] as string).replace(/^data: /, ''));
}
