import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../../test/postgres-server.ts';
import { flushCounters, recordPrepared, rowsRead, scansOf } from '../../../../test/prepared-plans.ts';
import { historyIdsFrom, newHistoryEntry } from '../../../src/domain/history.ts';
import { emptySums, storedSums } from '../../../src/domain/statistics.ts';
import { newSuppression } from '../../../src/domain/suppression.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { customer } from '../customer.ts';
import { everything, paymentNumber, recordOf } from '../store-contract.ts';

const log = createLogger({ level: 'silent' });
const payments = 50_000;
const tables = [
  ...['payments', 'attempts', 'idempotency_keys', 'customers', 'suppressions'],
  ...['sms_days', 'sms_recipient_hours', 'events', 'history', 'statistics'],
];

/** PostgreSQL plans a prepared statement anew for its first five executions. */
const executions = 6;

/** Payments of 500 customers, none of them pending; ten are due. */
const load = `
  INSERT INTO payments (payment_id, amount_minor, currency, customer_id, message, encoding, segments, notification_status,
                        expires_at, retries, reopened, fence, due_at, created_at)
  SELECT 'old_' || lpad(n::text, 8, '0'), 100, 'COP', 'customer-' || n % 500, 'Pago recibido', 'GSM-7', 1, 'sent',
         now(), 0, 0, 0, CASE WHEN n % ${payments / 10} = 0 THEN now() END, now()
  FROM generate_series(1, ${payments}) AS n;
  INSERT INTO attempts (payment_id, number, provider, outcome, started_at)
  SELECT payment_id, 1, 'Aldeamo', 'accepted', created_at FROM payments WHERE payment_id LIKE 'old%';
  INSERT INTO idempotency_keys (key, fingerprint, payment_id, created_at)
  SELECT 'key-of-' || payment_id, 'any', payment_id, created_at FROM payments WHERE payment_id LIKE 'old%';
  INSERT INTO customers (customer_id, phone) SELECT 'customer-' || n, '+573000000000' FROM generate_series(1, ${payments}) AS n;
  INSERT INTO suppressions (suppression_id, phone, source, reason, created_at)
  SELECT 'sup_old' || n, '+59' || n, 'opt_out', 'STOP', now() FROM generate_series(1, 5000) AS n;
  INSERT INTO events (event_id, payment_id, type, data, created_at, delivery_status, due_at)
  SELECT 'evt_old' || n, 'old_' || n, 'payment.notification.sent', '{}', now(), 'delivered', NULL
  FROM generate_series(1, ${payments}) AS n;
  INSERT INTO events (event_id, payment_id, type, data, created_at, delivery_status, due_at)
  SELECT 'evt_due' || n, 'old_' || n, 'payment.notification.sent', '{}', now(), 'pending', now() + n * interval '1 day'
  FROM generate_series(1, 100) AS n;
  INSERT INTO events (event_id, payment_id, type, data, created_at, delivery_status, tries)
  SELECT 'evt_dead' || n, 'old_' || n, 'payment.notification.sent', '{}', now() - interval '1 day', 'dead', 8
  FROM generate_series(1, 100) AS n;
  INSERT INTO history (entry_id, at, kind, provider, replica)
  SELECT 'hst_' || lpad(n::text, 32, '0'), now(), 'circuit_opened', 'Aldeamo', 'replica-1'
  FROM generate_series(1, ${payments}) AS n;
  INSERT INTO statistics (hour, process, provider, sums)
  SELECT '2026-01-01T00:00Z'::timestamptz + n * interval '1 hour', 'process', 'Aldeamo', '{}'
  FROM generate_series(1, ${payments}) AS n;
  INSERT INTO sms_days (day, segments, latest_block) SELECT 'day-' || n, 1, 1 FROM generate_series(1, ${payments}) AS n;
  INSERT INTO sms_recipient_hours (hour, phone, segments)
  SELECT '2026-03-01T11', '+57' || n, 1 FROM generate_series(1, ${payments}) AS n`;

test.each([
  ['never analyzed', ''],
  ['analyzed while they were empty', 'VACUUM ANALYZE'],
])(
  'given large tables that were %s, each statement of a replica that began on the empty ones uses its indexes',
  {
    timeout: 60_000,
  },
  async (_, before) => {
    const url = await createDatabase(inject('postgresPort'));
    const prepared = recordPrepared();
    const store = await openPostgresStore({ url, leaseMs: 60_000, events: 'webhooks', log });
    onTestFinished(() => store.close());
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    for (const table of tables) await client.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
    if (before) await client.query(before);
    for (let number = 0; number < executions; number += 1) await useEverything(store, number);
    // The pool closes a connection that is idle for 10 s, and its plans with it.
    const inUse = setInterval(() => void store.countHeld(), 2000);
    onTestFinished(() => clearInterval(inUse));
    await client.query(load);

    const found: Record<string, string[]> = {};
    for (const [name, statement] of prepared) found[name] = await scansOf(name, statement);
    const scans = Object.entries(found).flatMap(([name, of]) => of.map((scan) => `${name}: ${scan}`));
    expect(scans.filter((scan) => /Seq Scan|Bitmap/.test(scan))).toEqual([]);
    // Only some lists have no condition, which read an index in its order up to the limit, or what reads all that is pending or dead.
    expect(scans.filter((scan) => scan.endsWith('without a condition'))).toEqual([
      'list_suppressions: Index Scan on suppressions without a condition',
      'list_webhooks all: Index Scan on events without a condition',
      'list_webhooks pending: Index Scan on events without a condition',
      'list_webhooks pending after: Index Scan on events without a condition',
      'list_webhooks delivered: Index Scan on events without a condition',
      'list_webhooks dead: Index Scan on events without a condition',
      'count_webhooks: Index Only Scan on events without a condition',
      'count_webhooks: Index Scan on events without a condition',
      'replay_dead_webhooks: Index Scan on events without a condition',
      'delete_events: Index Scan on events without a condition',
    ]);
    expect(prepared.size).toBeGreaterThanOrEqual(65);

    await flushCounters(prepared);
    const read = await rowsRead(client, tables);
    await useEverything(store, executions);
    await flushCounters(prepared);
    const now = await rowsRead(client, tables);
    expect(now.seq - read.seq).toBe(0);
    // Eight pages of a hundred payments, with their attempts, and a thousand events with the clients of their payments.
    expect(now.idx - read.idx).toBeLessThan(3000 + 2000);
  },
);

describe('given a replica that began on an empty table and 100 000 deliveries of events that are pending', () => {
  /** Two events each of 50 000 payments, the first of them due at `first`, and then one of another payment. */
  const loadPending = (first: string) => `
    INSERT INTO events (event_id, payment_id, type, data, created_at, delivery_status, tries, due_at)
    SELECT 'evt_' || lpad(n::text, 8, '0'), 'old_' || n / 2, 'payment.notification.sent', '{}', now(), 'pending', 1,
           CASE n % 2 WHEN 0 THEN ${first} ELSE now() - interval '1 hour' END + n * interval '1 ms'
    FROM generate_series(2, 100001) AS n;
    INSERT INTO events (event_id, payment_id, type, data, created_at, delivery_status, due_at)
    SELECT 'evt_last', 'pmt_last', 'payment.notification.sent', '{}', now(), 'pending', now() - interval '1 minute'`;

  async function openLoaded(first: string) {
    const url = await createDatabase(inject('postgresPort'));
    const prepared = recordPrepared();
    const store = await openPostgresStore({ url, leaseMs: 60_000, events: 'webhooks', log });
    onTestFinished(() => store.close());
    for (let number = 0; number < executions; number += 1) await useEvents(store, number);
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(loadPending(first));
    return {
      store,
      rowsOf: async (use: () => Promise<unknown>) => {
        await flushCounters(prepared);
        const before = await rowsRead(client, ['events']);
        await use();
        await flushCounters(prepared);
        const after = await rowsRead(client, ['events']);
        expect(after.seq - before.seq).toBe(0);
        return after.idx - before.idx;
      },
    };
  }
  const claim = async (store: Store) => {
    const claimed = await store.claimWebhooks(10, 60_000);
    return claimed.map(({ event_id }) => ({ event_id, tries: 1, status: 'delivered' as const }));
  };

  test('a claim reads few of them, and so does the end of their tries', async () => {
    const { store, rowsOf } = await openLoaded("now() - interval '1 hour'");
    const read = await rowsOf(async () => {
      const claimed = await claim(store);
      expect(claimed).toHaveLength(10);
      await store.settleWebhooks(claimed);
    });
    expect(read).toBeLessThan(300);
  });

  test('those whose payment has an earlier one that waits are read by one claim, and not by the next', {
    timeout: 60_000,
  }, async () => {
    const { store, rowsOf } = await openLoaded("now() + interval '1 hour'");
    expect((await claim(store)).map(({ event_id }) => event_id)).toEqual(['evt_last']);
    expect(await rowsOf(() => claim(store))).toBeLessThan(10);
  });
});

const suppressionOf = (phone: string) =>
  newSuppression({ phone, source: 'opt_out', reason: 'STOP', provider: 'Twilio', payment_id: null });

/** Executes every statement of the store. */
async function useEverything(store: Store, number: number): Promise<void> {
  const payment = paymentNumber(number, { customer_id: 'customer-1' });
  await store.insert(payment, recordOf(`key-${number}`, payment));
  await store.insert(payment, recordOf(`key-${number}`, payment));
  const after = { starting_after: payment.payment_id };
  const ofCustomer = { customer_id: 'customer-1' };
  const ofStatus = { notification_status: ['sent'] as const };
  for (const filter of [{}, ofCustomer, ofStatus, { ...ofCustomer, ...ofStatus }]) {
    await store.list({ ...everything, ...filter });
    await store.list({ ...everything, ...filter, ...after });
    await store.list({ ...everything, ...filter, ending_before: payment.payment_id });
  }
  await store.update(payment, { status: 201, body: '' });
  await store.storeAnswer(payment.payment_id, { status: 201, body: '' });
  await store.amend(payment, payment);
  const claimed = await store.claim({ ...payment, fence: 2 });
  await store.update({
    ...claimed,
    next_attempt_at: new Date().toISOString(),
    notification_status: 'pending',
  });
  await store.claimDue(50);
  await store.claimAsks(50);
  await store.releaseHeld(customer('customer-1'), 10);
  await store.bringForward(60_000, 10);
  await store.backlog();
  await store.putPhone(customer('customer-1'), '+573001234567');
  await store.findPhone(customer('customer-1'));
  await store.deletePhone(customer('customer-1'));
  const { suppression } = await store.putSuppression(suppressionOf(`+4900000000${number}`));
  const { suppression_id, phone } = suppression;
  await store.putSuppression(suppressionOf(phone));
  await store.findSuppression({ suppression_id });
  await store.findSuppression({ phone });
  await store.listSuppressions({ limit: 10, starting_after: undefined });
  await store.listSuppressions({ limit: 10, starting_after: suppression_id });
  await store.liftOptOut(phone);
  await store.deleteSuppression(suppression_id);
  await store.deleteKeys(Date.now() - 60_000, 10);
  await store.redact(Date.now() - 60_000, 10);
  await store.listIds(customer('customer-1'), undefined, 10);
  await store.eraseNext(customer('customer-1'), undefined, 10);
  await store.takeOfDay({ day: `2026-03-0${number + 1}`, cap: 1000, block: 10, needed: 1 });
  await store.takeOfRecipient({ hour: '2026-03-01T12', phone: `+57300000000${number}`, cap: 9, segments: 1 });
  await store.deleteCounts({ day: '2026-01-01', hour: '2026-01-01T12' }, 10);
  await store.countHeld();
  await useEvents(store, number);
  await useOperations(store);
  await store.check();
}

async function useOperations(store: Store): Promise<void> {
  await store.recordHistory([newHistoryEntry('started', {}, 'replica-1')]);
  const page = { limit: 10, from: historyIdsFrom(0), before: 'hst_~' };
  await store.readHistory(page);
  await store.readHistory({ ...page, kind: 'started' });
  await store.deleteHistory(0, 10);
  const sums = storedSums(emptySums());
  await store.putSums([{ hour: new Date(0).toISOString(), process: 'process', provider: '', sums }]);
  await store.readSums(0, 3_600_000);
  await store.deleteSums(0, 10);
}

async function useEvents(store: Store, number: number): Promise<void> {
  await store.insert(paymentNumber(1000 + number, { notification_status: 'held', reason: 'phone_unknown' }));
  const page = await store.readEvents({ after: undefined, limit: 10 });
  await store.readEvents({ after: page?.position, limit: 10 });
  await store.readEvents({ after: page?.position, client: 'shop', limit: 10 });
  const ids = (await store.claimWebhooks(10, 60_000)).map(({ event_id }) => event_id);
  const dead = { tries: 0, status: 'dead', reason: 'http_404' } as const;
  await store.settleWebhooks(ids.map((event_id) => ({ ...dead, event_id })));
  const [event_id = ''] = ids;
  for (const status of [undefined, 'pending', 'delivered', 'dead'] as const) {
    await store.listWebhooks({ status, limit: 10, starting_after: undefined });
    await store.listWebhooks({ status, limit: 10, starting_after: event_id });
  }
  await store.countWebhooks();
  await store.replayWebhook(event_id);
  await store.replayDeadWebhooks(Date.now() - 60_000, 10);
  await store.deleteEvents(Date.now() - 60_000, 10);
}
