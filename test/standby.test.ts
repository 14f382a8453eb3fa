import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { startTcpProxy } from './doubles/tcp-proxy.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { untilReadiness } from './readiness.ts';
import type { ReplicaName } from './trio.ts';
import { replicaNames, startProcesses } from './trio-of-processes.ts';

const paymentServices = replicaNames('payment-service', 2);
const [first] = paymentServices as [ReplicaName];
const services: ReplicaName[] = [...paymentServices, 'aldeamo-service', 'twilio-service'];
const settings = { fsync: 'off' };
const readOnly = /cannot execute \w+ in a read-only transaction \(25006\)/;

/** Two replicas on a primary with a synchronous standby, at an address that can be moved from the one to the other. */
async function startFixture() {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startPostgres({ settings }));
  const url = new URL(await primary.createDatabase());
  const standby = stack.use(await startPostgres({ standbyOf: primary, settings }));
  await sqlAt(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", 'SELECT pg_reload_conf()');
  await eventually(
    () => sqlAt(primary, 'SELECT sync_state FROM pg_stat_replication'),
    ([row]) => row?.sync_state === 'sync',
    10_000,
  );
  const address = stack.use(await startTcpProxy(primary.port));
  url.port = String(address.port);
  const trio = stack.use(
    await startProcesses(
      {
        DATABASE_URL: url.href,
        SENDS_DATABASE_URL: url.href,
        ALDEAMO_LATENCY_MS: '5',
        TWILIO_LATENCY_MS: '5',
        GATEWAY_TIMEOUT_MS: '800',
        PROVIDER_TIMEOUT_MS: '1000',
        NOTIFICATION_RETRY_BASE_MS: '200',
        NOTIFICATION_LEASE_MS: '2500',
      },
      { replicas: { 'payment-service': 2 } },
    ),
  );
  const become = (status: number) => untilReadiness(trio, services, status);
  await become(200);
  return { stack, primary, standby, address, trio, become, database: url.pathname.slice(1) };
}

async function sqlAt(server: PostgresServer, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(`postgres://payments:payments@127.0.0.1:${server.port}/postgres`);
  await client.connect();
  let rows: Record<string, unknown>[] = [];
  for (const statement of statements) ({ rows } = await client.query(statement));
  await client.end();
  return rows;
}

type Fixture = Awaited<ReturnType<typeof startFixture>>;

/** Pays until it is stopped, each payment with its key until it is answered with 201; returns what was answered. */
function startPaying(fixture: Fixture) {
  const { trio } = fixture;
  let isOver = false;
  const answered: PaymentView[] = [];
  const statuses = new Set<number>();
  const lanes = Array.from({ length: 4 }, async (_, lane) => {
    const url = trio.url(paymentServices[lane % 2] ?? first);
    while (!isOver) {
      const key = { 'idempotency-key': randomUUID() };
      for (let status = 0; status !== 201 && !isOver; ) {
        const answer = await call<PaymentView>(
          'POST',
          `${url}/payments`,
          { amount: 1, customer_id: `c-${lane}` },
          key,
        );
        status = answer.status;
        statuses.add(status);
        await delay(100);
        if (status === 201) answered.push(answer.body);
      }
    }
  });
  const stop = async () => {
    isOver = true;
    await Promise.all(lanes);
  };
  fixture.stack.defer(stop);
  return { answered, statuses, stop };
}

type Paying = ReturnType<typeof startPaying>;

const find = async ({ trio }: Fixture, id: string) =>
  (await call<PaymentView>('GET', `${trio.url(first)}/payments/${id}`)).body;

/** How many SMS went out for each payment. */
async function countSms({ trio }: Fixture): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const name of ['aldeamo-service', 'twilio-service'] as const) {
    const { body } = await call<{ data: { idempotency_key: string }[] }>(
      'GET',
      `${trio.url(name)}/sandbox/messages`,
    );
    for (const { idempotency_key } of body.data) {
      const paymentId = idempotency_key.replace(/-\d+$/, '');
      counts.set(paymentId, (counts.get(paymentId) ?? 0) + 1);
    }
  }
  return counts;
}

async function expectNothingLost(fixture: Fixture, { answered, statuses }: Paying): Promise<void> {
  expect([201, 409, 503]).toEqual(expect.arrayContaining([...statuses])); // 409: an earlier request with the key is handled
  const payments = await Promise.all(
    answered.map(({ payment_id }) =>
      eventually(
        () => find(fixture, payment_id),
        ({ notification_status }) => notification_status === 'sent',
        15_000,
        250,
      ),
    ),
  );
  const counts = await countSms(fixture);
  for (const { payment_id, possible_duplicate } of payments)
    if (!possible_duplicate) expect([payment_id, counts.get(payment_id)]).toEqual([payment_id, 1]);
}

test('given a primary that crashes under load, no replica is ready until its standby is promoted, then all are without a restart; no payment is lost', async () => {
  const fixture = await startFixture();
  await using _ = fixture.stack;
  const { primary, standby, address, trio, become } = fixture;
  const before = await pay(trio.url(first), { customer_id: 'ana' });
  const paying = startPaying(fixture);
  await eventually(
    async () => paying.answered.length,
    (count) => count > 20,
    10_000,
  );
  address.moveTo(standby.port);
  await primary.kill();
  await become(503);
  await Promise.all(
    services.map((name) =>
      eventually(
        async () => {
          await fetch(`${trio.url(name)}/health/ready`);
          return JSON.stringify(await trio.logs(name));
        },
        (log) => readOnly.test(log),
        10_000,
      ),
    ),
  );
  expect(await find(fixture, before.body.payment_id)).toEqual(before.body);

  await sqlAt(standby, 'SELECT pg_promote()');
  await become(200);
  const count = paying.answered.length;
  await eventually(
    async () => paying.answered.length,
    (length) => length > count + 20,
    10_000,
  );
  await paying.stop();
  await expectNothingLost(fixture, paying);
});

test('given a former primary that stays, read-only, when its standby is promoted, no connection stays with it', async () => {
  const fixture = await startFixture();
  await using _ = fixture.stack;
  const { primary, standby, address, become, database } = fixture;
  const paying = startPaying(fixture);
  await eventually(
    async () => paying.answered.length,
    (count) => count > 20,
    10_000,
  );
  await sqlAt(primary, 'ALTER SYSTEM SET default_transaction_read_only = on', 'SELECT pg_reload_conf()');
  await eventually(
    async () => [...paying.statuses],
    (statuses) => statuses.includes(503),
    10_000,
  );
  await sqlAt(standby, 'SELECT pg_promote()');
  address.moveTo(standby.port);
  await become(200);
  const sessionsAt = (server: PostgresServer) =>
    sqlAt(
      server,
      `SELECT query FROM pg_stat_activity WHERE datname = '${database}' AND backend_type = 'client backend'`,
    );
  await eventually(
    () => sessionsAt(primary),
    ({ length }) => length === 0,
    15_000,
    200,
  );
  await eventually(
    () => sessionsAt(standby),
    (sessions) =>
      sessions.filter(({ query }) => /LISTEN|pg_notify/.test(String(query))).length ===
      paymentServices.length,
    10_000,
  );
  await paying.stop();
  await expectNothingLost(fixture, paying);
});
