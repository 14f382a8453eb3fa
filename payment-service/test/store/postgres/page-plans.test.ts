import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../../test/postgres-server.ts';
import { flushCounters, planOf, recordPrepared, rowsRead } from '../../../../test/prepared-plans.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import type { PaymentFilters } from '../../../src/store/store.ts';

const log = createLogger({ level: 'silent' });
const payments = 50_000;
const idOf = (n: number) => `pmt_${(1_700_000_000_000 + n * 1000).toString(16).padStart(12, '0')}${n}`;
const timeOf = (n: number) => new Date(1_700_000_000_000 + n * 1000).toISOString();

/** One a second, each tenth of them of one customer, each half of one client; few failed, and fewer are possible duplicates. */
const load = `
  INSERT INTO payments (payment_id, amount_minor, currency, customer_id, client, reference, message, encoding, segments,
                        notification_service, notification_status, reason, possible_duplicate, expires_at, retries, reopened,
                        fence, created_at)
  SELECT 'pmt_' || lpad(to_hex(1700000000000 + n * 1000), 12, '0') || n, 100, 'COP',
         CASE n % 10 WHEN 0 THEN 'large' ELSE 'customer-' || n % 500 END, CASE n % 2 WHEN 0 THEN 'shop' END,
         CASE n % 3 WHEN 0 THEN 'order-' || n / 6 END, 'Pago recibido', 'GSM-7', 1,
         CASE WHEN n % 100 = 7 THEN NULL WHEN n % 20 = 1 THEN 'Twilio' ELSE 'Aldeamo' END,
         CASE WHEN n % 100 = 7 THEN 'failed' WHEN n % 5 < 2 THEN 'delivered' ELSE 'sent' END,
         CASE n % 100 WHEN 7 THEN 'expired' END, n % 1000 = 0, now(), 0, 0, 0, to_timestamp(1700000000 + n)
  FROM generate_series(1, ${payments}) AS n;
  INSERT INTO attempts (payment_id, number, provider, outcome, started_at)
  SELECT payment_id, 1, 'Aldeamo', 'accepted', created_at FROM payments`;

const lists: [name: string, filters: PaymentFilters, index: string][] = [
  ['everything', {}, 'payments_pkey'],
  ['a range of time', { created_after: timeOf(30_000), created_before: timeOf(30_100) }, 'payments_pkey'],
  ['a status', { notification_status: ['failed'] }, 'payments_by_status'],
  ['several statuses', { notification_status: ['failed', 'held', 'sent'] }, 'payments_by_status'],
  ['a customer', { customer_id: 'large' }, 'payments_by_customer'],
  [
    'a customer and several statuses',
    { customer_id: 'large', notification_status: ['sent', 'delivered'] },
    'payments_by_status_and_customer',
  ],
  ['a reference', { reference: 'order-5005' }, 'payments_by_reference'],
  ['a reason', { reason: 'expired' }, 'payments_by_reason'],
  ['possible duplicates', { possible_duplicate: true }, 'payments_maybe_twice'],
  ['what Twilio took', { notification_service: 'Twilio' }, 'payments_by_twilio'],
  ['a client', { client: 'shop' }, 'payments_by_client'],
  ['a client and a status', { client: 'shop', notification_status: ['sent'] }, 'payments_by_client'],
  ['a client and a customer', { client: 'shop', customer_id: 'large' }, 'payments_by_client_and_customer'],
  [
    'a client and a reference',
    { client: 'shop', reference: 'order-5005' },
    'payments_by_client_and_reference',
  ],
  ['a client and a reason', { client: 'shop', reason: 'expired' }, 'payments_by_client_and_reason'],
  [
    'possible duplicates of a client',
    { client: 'shop', possible_duplicate: true },
    'payments_maybe_twice_by_client',
  ],
  [
    'what Twilio took of a client',
    { client: 'shop', notification_service: 'Twilio' },
    'payments_by_client_and_twilio',
  ],
  [
    'all at once',
    {
      reference: 'order-5005',
      customer_id: 'large',
      client: 'shop',
      reason: 'expired',
      possible_duplicate: true,
    },
    'payments_by_client_and_reference',
  ],
];
const others: PaymentFilters = { notification_service: 'Aldeamo', possible_duplicate: false };
const cursors = [{}, { starting_after: idOf(30_030) }, { ending_before: idOf(30_030) }];
const pages = lists.flatMap(([name, filters, index]) =>
  cursors.flatMap((cursor) =>
    [{}, others].map((more) => ({
      label: [name, ...Object.keys({ ...cursor, ...more })].join(' '),
      query: { limit: 10, ...more, ...filters, ...cursor },
      index,
    })),
  ),
);

/** The most that an index finds where no other filter matches are the 500 that failed, which are found, and then compared. */
const rowsOfPage = 2 * (500 + 20);

test.each([
  ['never analyzed', ''],
  ['analyzed while it was empty', 'VACUUM ANALYZE payments'],
])(
  'given a large table that was %s, a replica that began on the empty one reads each page by its index, without a sort',
  {
    timeout: 60_000,
  },
  async (_name, before) => {
    const url = await createDatabase(inject('postgresPort'));
    const prepared = recordPrepared();
    const store = await openPostgresStore({ url, leaseMs: 60_000, log });
    onTestFinished(() => store.close());
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    await client.query('ALTER TABLE payments SET (autovacuum_enabled = off)');
    if (before) await client.query(before);
    // The pool closes a connection that is idle for 10 s, and its plans with it.
    const inUse = setInterval(() => void store.countHeld(), 2000);
    onTestFinished(() => clearInterval(inUse));
    for (const { query } of pages) await store.list(query);
    await client.query(load);

    for (const { label, query, index } of pages) {
      await flushCounters(prepared);
      const read = await rowsRead(client, ['payments', 'attempts']);
      prepared.clear();
      await store.list(query);
      await flushCounters(prepared);
      const now = await rowsRead(client, ['payments', 'attempts']);
      expect(now.seq - read.seq, label).toBe(0);
      expect(now.idx - read.idx, label).toBeLessThan(rowsOfPage);
      prepared.delete('lasting'); // which finds the cursor
      prepared.delete('count_held');
      const plans = await Promise.all([...prepared].map(([name, statement]) => planOf(name, statement)));
      const nodes = plans.flat();
      expect(nodes.map((node) => node['Node Type']).join(), label).not.toMatch(/Sort|Seq Scan|Bitmap/);
      const scans = nodes.filter((node) => node['Relation Name'] === 'payments');
      const indexes = new Set(scans.map((scan) => scan['Index Name']));
      expect([...indexes], label).toEqual([index]);
      for (const scan of scans) expect(scan['Index Cond'], label).toContain('payment_id');
    }
  },
);
