import process from 'node:process';
import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import type { Snapshot } from '../payment-service/src/live/snapshot.ts';
import { openPostgresStore } from '../payment-service/src/store/postgres/store.ts';
import { paymentNumber } from '../payment-service/test/store/store-contract.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import type { ReplicaName, Trio } from './trio.ts';
import { replicaNames, startProcesses } from './trio-of-processes.ts';

const paymentServices = replicaNames('payment-service', 3) as [ReplicaName, ReplicaName, ReplicaName];
const [first, second, third] = paymentServices;
const settings = {
  ALDEAMO_LATENCY_MS: '0',
  TWILIO_LATENCY_MS: '0',
  GATEWAY_TIMEOUT_MS: '800',
  PROVIDER_TIMEOUT_MS: '1000',
  CIRCUIT_RESET_TIMEOUT_MS: '60000',
  NOTIFICATION_RETRY_BASE_MS: '500',
  NOTIFICATION_LEASE_MS: '2500',
};

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

function startReplicas(url: string, more: Record<string, string> = {}) {
  return startProcesses(
    { ...settings, ...more, DATABASE_URL: url, SENDS_DATABASE_URL: url },
    { replicas: { 'payment-service': 3, 'aldeamo-service': 2 } },
  );
}

describe('three replicas of payment-service', () => {
  let trio: Trio<ReplicaName>;
  let url: string;
  beforeAll(async () => {
    url = await postgres.createDatabase();
    trio = await startReplicas(url);
  });
  afterEach(async () => {
    await setSandbox('aldeamo-service', { failure_rate: 0, late_rate: 0, latency_ms: 0 });
    for (const replica of paymentServices) await call('POST', `${trio.url(replica)}/force-recovery`);
  });
  afterAll(() => trio[Symbol.asyncDispose]());

  const ledgerOf = async (service: ReplicaName, customer_id: string) =>
    (
      await call<{ data: { idempotency_key: string }[] }>(
        'GET',
        `${trio.url(service)}/sandbox/messages?customer_id=${customer_id}`,
      )
    ).body.data;
  const listOf = (replica: ReplicaName, customer_id: string) =>
    call<{ data: PaymentView[] }>('GET', `${trio.url(replica)}/payments?customer_id=${customer_id}`);
  const find = async (replica: ReplicaName, id: string) =>
    (await call<PaymentView>('GET', `${trio.url(replica)}/payments/${id}`)).body;
  const requestsOf = async (service: ReplicaName) =>
    (await call<{ requests: number }>('GET', `${trio.url(service)}/health`)).body.requests;
  const setSandbox = (service: ReplicaName, changes: Record<string, number>) =>
    call('POST', `${trio.url(service)}/sandbox`, changes);

  test('return the same payments', async () => {
    const { body } = await pay(trio.url(first), { customer_id: 'ana' });
    expect(await find(second, body.payment_id)).toEqual(body);
    expect((await listOf(third, 'ana')).body.data).toEqual([body]);
  });

  test('given 60 concurrent POSTs with one Idempotency-Key, make one payment and one SMS', async () => {
    const body = { amount: 100, customer_id: 'berta' };
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        call<PaymentView>('POST', `${trio.url(paymentServices[index % 3] ?? first)}/payments`, body, {
          'idempotency-key': 'one',
        }),
      ),
    );
    const created = answers.filter(({ status }) => status === 201);
    expect(created.length).toBeGreaterThanOrEqual(1);
    expect(new Set(created.map(({ body }) => body.payment_id)).size).toBe(1);
    for (const { status, headers } of answers.filter(({ status }) => status !== 201))
      expect([status, headers.get('retry-after')]).toEqual([409, '1']);
    expect(await ledgerOf('aldeamo-service', 'berta')).toHaveLength(1);
    const replay = await call<PaymentView>('POST', `${trio.url(third)}/payments`, body, {
      'idempotency-key': 'one',
    });
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect(replay.body.payment_id).toBe(created[0]?.body.payment_id);
  });

  test('stream the payments and the circuits of all replicas from each of them', async () => {
    const watching = await watch(trio.url(second));
    const isComplete = ({ replicas }: Snapshot) => replicas.length === 3;
    const { replica, replicas } = await watching.until(isComplete);
    expect(replica).toBe(second);
    expect(replicas.map(({ name }) => name)).toEqual(paymentServices);
    const { body } = await pay(trio.url(first), { customer_id: 'dora' });
    const { payments } = await watching.until(
      ({ payments }) =>
        payments?.[0]?.payment_id === body.payment_id && payments[0].notification_status === 'sent',
    );
    expect(payments?.[0]).toMatchObject({ payment_id: body.payment_id, notification_status: 'sent' });

    await setSandbox('aldeamo-service', { failure_rate: 1 });
    for (let failure = 0; failure < 3; failure += 1) await pay(trio.url(third), { customer_id: 'dora' });
    const snapshot = await watching.until(({ replicas }) =>
      replicas.some(({ circuits }) => circuits.Aldeamo.state === 'open'),
    );
    expect(snapshot.replicas.map(({ name, circuits }) => [name, circuits.Aldeamo.state])).toEqual([
      [first, 'closed'],
      [second, 'closed'],
      [third, 'open'],
    ]);
    expect(snapshot.circuits.Aldeamo.state).toBe('closed'); // the circuit of the replica that streams
    await watching.end();
  });

  test('given a provider that is held at one of them, offer no SMS to it within five seconds, nor after a restart, until its release at another', async () => {
    const holdUrl = (replica: ReplicaName) => `${trio.url(replica)}/providers/Aldeamo/hold`;
    const providerOf = async (replica: ReplicaName) =>
      (await pay(trio.url(replica), { customer_id: 'held' })).body.notification_service;
    const untilAllUse = (provider: string) =>
      eventually(
        () => Promise.all(paymentServices.map(providerOf)),
        (used) => used.every((each) => each === provider),
        5000,
      );
    const held = await call('PUT', holdUrl(first), { reason: 'they send twice' });
    expect(held.status).toBe(201);
    expect(await providerOf(first)).toBe('Twilio');
    await untilAllUse('Twilio');
    await trio.kill(second);
    await trio.start(second);
    const { body } = await pay(trio.url(second), { customer_id: 'held' });
    expect(body.notification.attempts).toMatchObject([
      { provider: 'Aldeamo', outcome: 'not_sent', reason: 'provider_held' },
      { provider: 'Twilio', outcome: 'accepted' },
    ]);
    expect((await call('DELETE', holdUrl(third))).status).toBe(200);
    expect(await providerOf(third)).toBe('Aldeamo');
    await untilAllUse('Aldeamo');
  });

  test('given a recovery at one of them, close the circuits of all within five seconds', async () => {
    await setSandbox('aldeamo-service', { failure_rate: 1 });
    for (const replica of [second, third])
      for (let failure = 0; failure < 3; failure += 1) await pay(trio.url(replica), { customer_id: 'fay' });
    const states = () =>
      Promise.all(
        paymentServices.map(async (replica) => {
          const { body } = await call<Snapshot>('GET', `${trio.url(replica)}/health`);
          return body.circuits.Aldeamo.state;
        }),
      );
    expect(await states()).toEqual(['closed', 'open', 'open']);
    await setSandbox('aldeamo-service', { failure_rate: 0 });
    const recovered = await call('POST', `${trio.url(first)}/force-recovery`, { reason: 'they are back' });
    expect(recovered.status).toBe(200);
    await eventually(states, (all) => all.every((state) => state === 'closed'), 5000);
  });

  test('given a replica that is killed during a send, take its payment over without a second SMS', async () => {
    await setSandbox('aldeamo-service', { late_rate: 1 }); // it accepts, and its answer comes too late
    const lost = expect(pay(trio.url(first), { customer_id: 'carla' })).rejects.toThrow();
    await eventually(
      () => ledgerOf('aldeamo-service', 'carla'),
      (ledger) => ledger.length === 1,
      5000,
    );
    await trio.kill(first);
    await lost;
    await setSandbox('aldeamo-service', { late_rate: 0 });
    const { body } = await eventually(
      () => listOf(second, 'carla'),
      ({ body }) => body.data[0]?.notification_status === 'sent',
      10_000,
    );
    expect(body.data).toHaveLength(1);
    expect(body.data[0]?.possible_duplicate).toBe(false);
    expect(await ledgerOf('aldeamo-service', 'carla')).toHaveLength(1);
    expect(await ledgerOf('twilio-service', 'carla')).toEqual([]);
    await trio.start(first);
  });

  test("keep no transaction of the database open during a provider's call", async () => {
    await setSandbox('aldeamo-service', { latency_ms: 500 });
    const before = await requestsOf('aldeamo-service');
    const client = new pg.Client(url);
    await client.connect();
    const paying = Promise.all(
      Array.from({ length: 100 }, (_, index) => pay(trio.url(first), { customer_id: `${index}` })),
    );
    await eventually(
      () => requestsOf('aldeamo-service'),
      (requests) => requests === before + 100,
      5000,
    );
    const { rows } = await client.query(`
      SELECT state FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'`);
    await client.end();
    expect(rows).toEqual([]);
    for (const { body } of await paying) expect(body.notification_status).toBe('sent');
  });

  test('given one Idempotency-Key at two replicas of aldeamo-service, both return one answer, also during the send', async () => {
    await setSandbox('aldeamo-service', { latency_ms: 300 });
    const body = { message: 'Pago recibido', customer_id: 'eva' };
    const before = await requestsOf('aldeamo-service');
    const notify = (service: ReplicaName) =>
      call('POST', `${trio.url(service)}/notify`, body, { 'idempotency-key': 'pmt_1-1' });
    const sending = notify('aldeamo-service');
    await eventually(
      () => requestsOf('aldeamo-service'),
      (requests) => requests === before + 1,
      5000,
    );
    const answers = await Promise.all([sending, notify('aldeamo-service-2'), notify('aldeamo-service-2')]);
    for (const { status, body } of answers) expect([status, body]).toEqual([200, answers[0].body]);
    const asked = await call('DELETE', `${trio.url('aldeamo-service-2')}/notify`, undefined, {
      'idempotency-key': 'pmt_1-1',
    });
    expect(asked.body).toEqual(answers[0].body);
    expect(await ledgerOf('aldeamo-service', 'eva')).toHaveLength(1);
    expect(await ledgerOf('aldeamo-service-2', 'eva')).toEqual([]);
  });

  test('given PostgreSQL down, are not ready, return 503 and send nothing until it is back', async () => {
    const ready = async (replica: ReplicaName) => (await fetch(`${trio.url(replica)}/health/ready`)).status;
    const { body: before } = await pay(trio.url(first), { customer_id: 'before' });
    await postgres.stop();
    for (const replica of paymentServices) {
      expect(await ready(replica)).toBe(503);
      const { status, headers, body } = await call('POST', `${trio.url(replica)}/payments`, {
        amount: 100,
        customer_id: 'during',
      });
      expect([status, headers.get('retry-after'), body.type]).toEqual([
        503,
        '1',
        '/problems/store-unavailable',
      ]);
    }
    await postgres.start();
    for (const replica of paymentServices) {
      await eventually(
        () => ready(replica),
        (status) => status === 200,
        10_000,
      );
      expect((await pay(trio.url(replica), { customer_id: 'after' })).body.notification_status).toBe('sent');
    }
    expect((await call('GET', `${trio.url(second)}/payments/${before.payment_id}`)).body).toEqual(before);
    const sends = ['before', 'during', 'after'].map((customer_id) =>
      ledgerOf('aldeamo-service', customer_id),
    );
    expect((await Promise.all(sends)).map(({ length }) => length)).toEqual([1, 0, 3]);
  });
});

test('given a start before PostgreSQL, payment-service is not ready until PostgreSQL answers', async () => {
  const url = await postgres.createDatabase();
  await postgres.stop();
  await using trio = await startProcesses({ ...settings, DATABASE_URL: url, SENDS_DATABASE_URL: url });
  expect((await fetch(`${trio.url(first)}/health/ready`)).status).toBe(503);
  await postgres.start();
  await eventually(
    () => pay(trio.url(first), { customer_id: 'ana' }),
    ({ status }) => status === 201,
    15_000,
  );
});

const due = 3000;
test(`given ${due} due notifications, three replicas send each once`, { timeout: 180_000 }, async () => {
  const url = await postgres.createDatabase();
  const store = await openPostgresStore({ url, leaseMs: 1000, log: createLogger({ level: 'silent' }) });
  const next_attempt_at = new Date().toISOString();
  await Promise.all(
    Array.from({ length: due }, (_, number) => {
      const payment = paymentNumber(number);
      return store.insert({ ...payment, next_attempt_at });
    }),
  );
  await store.close();
  // The default deadlines, because after each one that passes an SMS may be sent twice.
  await using trio = await startReplicas(url, {
    GATEWAY_TIMEOUT_MS: '',
    PROVIDER_TIMEOUT_MS: '',
    NOTIFICATION_LEASE_MS: '',
    OUTBOX_RATE_PER_SECOND: '1000',
    OUTBOX_CONCURRENCY: '32',
  });
  await eventually(
    () => call<{ data: unknown[] }>('GET', `${trio.url(first)}/payments?notification_status=pending&limit=1`),
    ({ body }) => body.data.length === 0,
    150_000,
  );

  // Counts both providers, because on a busy machine a deadline may pass and a circuit open.
  const sent = await Promise.all(
    (['aldeamo-service', 'aldeamo-service-2', 'twilio-service'] as const).map(async (service) => {
      const { body } = await call<{ data: { idempotency_key: string }[] }>(
        'GET',
        `${trio.url(service)}/sandbox/messages`,
      );
      return body.data.map(({ idempotency_key }) => idempotency_key.replace(/-\d+$/, ''));
    }),
  );
  expect(sent.flat()).toHaveLength(due);
  expect(new Set(sent.flat()).size).toBe(due);
  const handledBy = async (replica: ReplicaName) =>
    (await trio.logs(replica))
      .filter(({ msg }) => msg === 'notification handled')
      .map(({ payment_id }) => payment_id);
  const handled = await eventually(
    async () => {
      const ids = await Promise.all(paymentServices.map(handledBy));
      // Counts distinct payments, because after a passed deadline a second round logs the payment again.
      return { payments: new Set(ids.flat()).size, byReplica: ids.map(({ length }) => length) };
    },
    ({ payments }) => payments === due,
    5000,
  );
  process.stdout.write(`\nhandled by each replica: ${handled.byReplica.join(', ')}\n\n`);
  for (const count of handled.byReplica) expect(count).toBeGreaterThan(0);
});

/** Reads the events of a replica. */
async function watch(url: string) {
  const end = new AbortController();
  const { body } = await fetch(`${url}/live/events`, { signal: end.signal });
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  async function next(): Promise<Snapshot> {
    for (;;) {
      const [event, rest] = text.split(/\n\n(.*)/s);
      if (event !== undefined && rest !== undefined) {
        text = rest;
        return JSON.parse(event.replace(/^data: /, ''));
      }
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) throw new Error('the events have ended');
      text += value;
    }
  }
  return {
    async until(isRight: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
      for (;;) {
        const snapshot = await next();
        if (isRight(snapshot)) return snapshot;
      }
    },
    async end() {
      end.abort();
    },
  };
}
