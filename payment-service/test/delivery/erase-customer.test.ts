import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../test/postgres-server.ts';
import { createErasure } from '../../src/delivery/erase-customer.ts';
import { newSuppression } from '../../src/domain/suppression.ts';
import { openPostgresStore } from '../../src/store/postgres/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { build, keyed, paymentOf, refused } from '../fixture.ts';
import { customer } from '../store/customer.ts';
import { paymentNumber } from '../store/store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'erase-customer-'));
afterAll(() => rmSync(directory, { recursive: true }));

const options = { leaseMs: 10_000, events: 'webhooks' } as const;
const phone = '+573001234567';
const log = createLogger({ level: 'silent' });
const personal = [phone, 'Pago de Ana', 'ana@example.com'];
const ofAna = {
  ...{ amount: 100, customer_id: 'ana', phone, message: 'Pago de Ana recibido' },
  metadata: { email: 'ana@example.com' },
};

interface Opened {
  store: Store;
  /** All that the database has stored, as it is on disk or in its tables. */
  readAll(): Promise<string>;
  /** Runs SQL beside the store. */
  run(sql: string): Promise<unknown>;
}

async function openSqlite(): Promise<Opened> {
  const path = join(directory, `${randomUUID()}.db`);
  const store = await openSqliteStore({ path, ...options });
  return {
    store,
    readAll: async () =>
      [path, `${path}-wal`]
        .filter((file) => existsSync(file))
        .map((file) => readFileSync(file, 'latin1'))
        .join(),
    async run(sql) {
      using db = new DatabaseSync(path, { timeout: 10_000 });
      db.exec(sql);
    },
  };
}

async function openPostgres(): Promise<Opened> {
  const url = await createDatabase(inject('postgresPort'));
  const store = await openPostgresStore({ url, ...options, log });
  const client = new pg.Client(url);
  await client.connect();
  onTestFinished(() => client.end());
  return {
    store,
    async readAll() {
      const { rows } = await client.query(
        "SELECT query_to_xml('TABLE ' || quote_ident(tablename), true, false, '')::text AS stored FROM pg_tables WHERE schemaname = 'public'",
      );
      return rows.map(({ stored }) => stored).join();
    },
    run: (sql) => client.query(sql),
  };
}

describe.each([
  ['SQLite', openSqlite],
  ['PostgreSQL', openPostgres],
])('the erasure of a customer in %s', (_database, openStore) => {
  test('leaves no text, phone and metadata anywhere, but the phone of a suppression', {
    timeout: 30_000,
  }, async () => {
    const { store, readAll } = await openStore();
    const { app, clients } = await build({ store });
    const erase = () => app.inject({ method: 'POST', url: '/customers/ana/erasure' });
    const found = async () => {
      const stored = await readAll();
      return personal.filter((text) => stored.includes(text));
    };
    await store.putPhone(customer('ana'), phone);
    for (let number = 0; number < 30; number += 1) {
      clients.Aldeamo.answer = clients.Twilio.answer = async () =>
        number % 2 ? refused : { outcome: 'accepted', message_id: `sms-${number}` };
      const headers = { prefer: 'respond-async' };
      paymentOf(await app.inject(keyed(`order-${number}`, ofAna, number % 3 ? {} : headers)));
    }
    expect(await found()).toEqual(personal);

    await expect.poll(async () => (await erase()).json().payments_in_progress, { timeout: 10_000 }).toBe(0);
    expect(await found()).toEqual([]);
    expect(await readAll()).toContain('order-0');
    await app.inject(keyed('order-1', ofAna));
    expect(await found()).toEqual([]);

    const given = { phone, source: 'admin', reason: 'asked us', provider: null, payment_id: null } as const;
    const { suppression } = await store.putSuppression(newSuppression(given));
    await erase();
    expect(await found()).toEqual([phone]);
    await store.deleteSuppression(suppression.suppression_id);
    await erase();
    expect(await found()).toEqual([]);
  });

  test('given 10 000 payments, holds up no other payment', { timeout: 60_000 }, async () => {
    const { store, run } = await openStore();
    onTestFinished(() => store.close());
    const first = paymentNumber(1, { customer_id: 'ana', phone, notification_status: 'sent' });
    await store.insert(first);
    await run(copiesOf(first.payment_id, 10_000));
    let isErased = false;
    const erasing = createErasure({ store, onChange: () => {} })(customer('ana'), 'maria', log).finally(
      () => {
        isErased = true;
      },
    );
    const waits: number[] = [];
    for (let number = 20_000; !isErased; number += 1) {
      const started = performance.now();
      await store.insert(paymentNumber(number));
      waits.push(performance.now() - started);
    }
    expect(await erasing).toMatchObject({ payments_erased: 10_001, payments_in_progress: 0 });
    expect(waits.length).toBeGreaterThan(50);
    expect(waits.toSorted((a, b) => a - b)[Math.floor(waits.length / 2)]).toBeLessThan(200);
  });
});

test('given records in SQLite that cannot be read, erases those that have ended, and leaves the open ones to the operator', async () => {
  const { store, run } = await openSqlite();
  onTestFinished(() => store.close());
  const fields = { customer_id: 'ana', phone } as const;
  await store.insert(paymentNumber(1, { ...fields, notification_status: 'sent' }));
  await store.insert(paymentNumber(2, fields));
  await store.insert(paymentNumber(3, { ...fields, notification_status: 'sent' }));
  await run(`UPDATE payments SET attempts = '{"phone_last4":"4567"' WHERE amount_minor <> 3`);
  expect(await createErasure({ store, onChange: () => {} })(customer('ana'), 'maria', log)).toMatchObject({
    ...{ payments_erased: 2, payments_cancelled: 0, payments_in_progress: 1 },
  });
  expect(await store.find(paymentNumber(1).payment_id)).toMatchObject({ message: null, attempts: [] });
});

/** Copies a payment under other ids, in SQL that both databases take. */
function copiesOf(paymentId: string, count: number): string {
  const columns = [
    ...['amount_minor', 'currency', 'customer_id', 'phone', 'message', 'encoding', 'segments'],
    ...['notification_status', 'expires_at', 'retries', 'reopened', 'fence', 'created_at'],
  ].join(', ');
  return `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
    INSERT INTO payments (payment_id, ${columns})
    SELECT 'pmt_a' || (100000 + n), ${columns} FROM payments, numbers WHERE payment_id = '${paymentId}'`;
}
