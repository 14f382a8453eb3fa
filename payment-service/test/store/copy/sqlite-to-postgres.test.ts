import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { inspect, promisify } from 'node:util';
import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { afterAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { connectTo } from '../../../../test/connect-to-postgres.ts';
import { createDatabase } from '../../../../test/postgres-server.ts';
import type { Attempt, Payment } from '../../../src/domain/payment.ts';
import { newSuppression } from '../../../src/domain/suppression.ts';
import type { Count } from '../../../src/store/copy/copy-counts.ts';
import { copySqliteToPostgres } from '../../../src/store/copy/sqlite-to-postgres.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import { openSqliteStore } from '../../../src/store/sqlite/store.ts';
import { type IdempotencyRecord, type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { customer } from '../customer.ts';
import { everything, paymentNumber, recordOf, running } from '../store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'sqlite-to-postgres-'));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const log = createLogger({ level: 'silent' });
const newPath = () => join(directory, `${randomUUID()}.db`);
const newDatabase = () => createDatabase(inject('postgresPort'));

const tried: Omit<Attempt, 'outcome'> = {
  provider: 'Aldeamo',
  reason: null,
  message_id: null,
  started_at: '2026-01-01T00:00:00.007Z',
  duration_ms: 0,
  mode: 'sandbox',
  phone_last4: null,
  deliveries: [],
};
const attempts: Attempt[] = [
  { ...tried, outcome: 'not_sent', reason: 'circuit_open' },
  { ...tried, outcome: 'unknown', reason: 'deadline_passed', duration_ms: 3000 },
  { ...tried, outcome: 'rejected', reason: 'opted_out' },
  { ...tried, provider: 'Twilio', outcome: 'accepted', message_id: 'SM1' },
];
const past = '2026-01-02T03:04:05.678Z';
const unicode = '😀 e\u0301 漢字 {"\'\\,NULL}\r\n';
const texts = (message: string) => ({ encoding: 'UCS-2' as const, message });

/** Payment 4 is redacted, 5 and 6 are due, 7 is due once its lease has expired. */
const payments: Payment[] = [
  paymentNumber(1),
  paymentNumber(2, {
    amount_minor: Number.MAX_SAFE_INTEGER,
    phone: '+573001234567',
    ...texts(unicode),
  }),
  paymentNumber(3, {
    customer_id: unicode.trim(),
    client: 'shop',
    reference: 'pedido-ñ',
    metadata: { tienda: 'Ñandú "\n', empty: '' },
    currency: 'USD',
    traceparent: null,
    request_id: null,
    notification_service: 'Twilio',
    notification_status: 'delivered',
    attempts: attempts,
  }),
  paymentNumber(4, {
    notification_status: 'sent',
    phone: '+573001234567',
    created_at: '2025-01-01T00:00:00.000Z',
  }),
  paymentNumber(5, {
    retries: 17,
    reopened: 2,
    attempts: attempts,
    next_attempt_at: past,
  }),
  paymentNumber(6, { expires_at: past, fence: 4 }),
  paymentNumber(7, { attempts: running() }),
  paymentNumber(8, { notification_status: 'failed', ...texts('ñ'), reason: 'expired' }),
];
const records: [number, IdempotencyRecord][] = [
  [1, recordOf('key-1', paymentNumber(1))],
  [
    2,
    recordOf('ana:key-2', paymentNumber(2), {
      answer: { status: 201, body: `{"amount":100.50,"x":"${unicode}"}` },
    }),
  ],
  [3, recordOf('Key 3', paymentNumber(3), { answer: { status: 202, body: '' } })],
];
const phones = { '1': '+573001234567', [unicode.trim()]: '+573009999999', ana: '+573007777777' };

const suppressions = [
  newSuppression({
    ...{ phone: '+573000000001', source: 'opt_out', reason: 'twilio_21610', provider: 'Twilio' },
    payment_id: paymentNumber(1).payment_id,
  }),
  newSuppression({
    phone: '+573000000002',
    source: 'admin',
    reason: unicode,
    provider: null,
    payment_id: null,
  }),
];

const hours = ['2026-03-01T10', '2026-03-01T11', '2026-03-01T12'];
const recipientTake = { phone: '+573001234567', cap: 3, segments: 2 };

/** Returns the path of a SQLite database of the test's own, with the payments, keys and phones. */
async function grow(): Promise<string> {
  const path = newPath();
  copyFileSync(await grown, path);
  return path;
}

const grown = (async () => {
  const path = newPath();
  const store = await openSqliteStore({ path, leaseMs });
  const keys = new Map(records);
  for (const [index, payment] of payments.entries()) await store.insert(payment, keys.get(index + 1));
  for (const [id, phone] of Object.entries(phones)) await store.putPhone(customer(id), phone);
  for (const each of suppressions) await store.putSuppression(each);
  expect(await store.takeOfDay({ day: '2026-03-01', cap: 1000, block: 10, needed: 1 })).toBe(10);
  for (const hour of hours) expect(await store.takeOfRecipient({ ...recipientTake, hour })).toBe(true);
  expect(await store.redact(Date.parse('2025-06-01'), 10)).toBe(1);
  await store.close();
  return path;
})();

async function open(url: string): Promise<Store> {
  const store = await openPostgresStore({ url, leaseMs, log });
  onTestFinished(() => store.close());
  return store;
}

async function paymentsOf(store: Store): Promise<Payment[] | undefined> {
  return (await store.list(everything))?.payments;
}

async function paymentsAt(path: string): Promise<Payment[] | undefined> {
  const store = await openSqliteStore({ path, leaseMs });
  const found = await paymentsOf(store);
  await store.close();
  return found;
}

const differing = (counts: Count[]) => counts.filter(({ source, target }) => source !== target);

describe('copySqliteToPostgres', () => {
  test('given isolated clients, leaves to each its own customers and payments', async () => {
    const [path, url] = [newPath(), await newDatabase()];
    const owners = { shop: '+573001111111', portal: '+573002222222', '': '+573003333333' };
    const customers = Object.entries(owners).map(([name, phone]) => ({
      owned: customer('7', name === '' ? null : name),
      phone,
    }));
    const source = await openSqliteStore({ path, leaseMs, clientsIsolated: true });
    for (const [index, { owned, phone }] of customers.entries()) {
      await source.putPhone(owned, phone);
      await source.insert(paymentNumber(index + 1, owned));
    }
    await source.close();
    expect(differing(await copySqliteToPostgres({ path, url }))).toEqual([]);

    const target = await openPostgresStore({ url, leaseMs, clientsIsolated: true, log });
    onTestFinished(() => target.close());
    for (const { owned, phone } of customers) expect(await target.findPhone(owned)).toBe(phone);
    const copied = (await paymentsOf(target))?.map(({ client, phone }) => ({ client, phone }));
    expect(copied?.toReversed()).toEqual(
      customers.map(({ owned: { client }, phone }) => ({ client, phone })),
    );
  });

  test('copies everything, so that a PostgreSQL store continues with it', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const [path, url] = [await grow(), await newDatabase()];
    const counts = await copySqliteToPostgres({ path, url });
    expect(differing(counts)).toEqual([]);
    expect(Object.fromEntries(counts.map(({ of, target }) => [of, target]))).toEqual({
      customers: 3n,
      payments: 8n,
      'payments pending': 5n,
      'payments sent': 1n,
      'payments cancelled': 0n,
      'payments delivered': 1n,
      'payments held': 0n,
      'payments failed': 1n,
      attempts: 9n,
      'attempts running': 1n,
      idempotency_keys: 3n,
      suppressions: 2n,
      events: 0n,
      'events pending': 0n,
      provider_controls: 0n,
      history: 0n,
      statistics: 0n,
      sms_days: 1n,
      sms_recipient_hours: 3n,
      'sum of amount_minor': BigInt(Number.MAX_SAFE_INTEGER) + 34n,
    });

    const store = await open(url);
    const found = await paymentsOf(store);
    expect(found).toStrictEqual(await paymentsAt(path));
    expect(found?.filter(({ message }) => message === null)).toMatchObject([{ fence: 2 }]);
    for (const [id, phone] of Object.entries(phones)) expect(await store.findPhone(customer(id))).toBe(phone);
    for (const [, record] of records)
      expect(await store.insert(paymentNumber(99), { ...record, payment_id: 'other' })).toStrictEqual({
        known: record,
      });
    expect(await store.listSuppressions({ limit: 10, starting_after: undefined })).toStrictEqual({
      suppressions: suppressions.toReversed(),
      has_more: false,
    });
    expect(await store.backlog()).toEqual({ size: 5, oldest_at: paymentNumber(1).created_at });

    expect(await store.takeOfDay({ day: '2026-03-01', cap: 11, block: 1, needed: 2 })).toBe(0);
    for (const hour of hours) expect(await store.takeOfRecipient({ ...recipientTake, hour })).toBe(false);

    const claimed = async () => (await store.claimDue(10)).map(({ payment_id }) => payment_id).toSorted();
    const idsOf = (...numbers: number[]) => numbers.map((number) => paymentNumber(number).payment_id);
    expect(await claimed()).toEqual(idsOf(5, 6));
    const client = await connectTo(url);
    await client.query(`UPDATE payments SET due_at = due_at - interval '${leaseMs} ms'`); // by its own clock
    expect(await claimed()).toEqual(idsOf(5, 6, 7));

    vi.setSystemTime(Date.now() + leaseMs);
    expect(await store.deleteKeys(Date.now() - leaseMs - 60_000, 10)).toBe(0);
    expect(await store.deleteKeys(Date.now(), 10)).toBe(3);
  });

  test('given a database of an older release, migrates it first', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    const db = new DatabaseSync(path);
    db.exec(`
      DROP TABLE statistics;
      DROP TABLE history;
      DROP TABLE provider_controls;
      ALTER TABLE payments DROP COLUMN actions;
      DROP TABLE events;
      DROP TABLE suppressions;
      DROP TABLE sms_days;
      DROP TABLE sms_recipient_hours;
      DROP INDEX payments_by_reference;
      DROP INDEX payments_by_reason;
      DROP INDEX payments_maybe_twice;
      DROP INDEX payments_by_twilio;
      DROP INDEX payments_by_client;
      DROP INDEX payments_by_client_and_customer;
      DROP INDEX payments_by_client_and_reference;
      DROP INDEX payments_by_client_and_reason;
      DROP INDEX payments_maybe_twice_by_client;
      DROP INDEX payments_by_client_and_twilio;
      ALTER TABLE payments DROP COLUMN client;
      ALTER TABLE payments DROP COLUMN reference;
      ALTER TABLE payments DROP COLUMN metadata;
      ALTER TABLE payments DROP COLUMN possible_duplicate;
      ALTER TABLE customers RENAME TO owned_customers;
      CREATE TABLE customers (customer_id TEXT PRIMARY KEY, phone TEXT NOT NULL) STRICT, WITHOUT ROWID;
      INSERT INTO customers SELECT customer_id, phone FROM owned_customers;
      DROP TABLE owned_customers;
      DROP INDEX payments_held;
      DROP INDEX payments_to_ask;
      ALTER TABLE payments DROP COLUMN updated_at;
      ALTER TABLE payments DROP COLUMN ask_at;
      ALTER TABLE payments DROP COLUMN asks;
      DROP INDEX payments_not_blanked;
      DROP INDEX payments_by_status_and_customer;
      CREATE INDEX payments_by_customer ON payments (customer_id, payment_id);
      CREATE TABLE old_attempts AS SELECT * FROM attempts;
      DROP VIEW attempts;
      ALTER TABLE old_attempts RENAME TO attempts;
      ALTER TABLE payments DROP COLUMN attempts;
      CREATE INDEX attempts_running ON attempts (payment_id) WHERE outcome IS NULL;
      ALTER TABLE payments DROP COLUMN traceparent;
      ALTER TABLE payments DROP COLUMN request_id;
      PRAGMA user_version = 3`);
    db.close();
    expect(differing(await copySqliteToPostgres({ path, url }))).toEqual([]);
    const found = await paymentsOf(await open(url));
    expect(found).toHaveLength(8);
    expect(found).toStrictEqual(await paymentsAt(path));
  });

  test('given ids and reasons that PostgreSQL cannot hold, copies them without that', async () => {
    const [path, url] = [newPath(), await newDatabase()];
    const source = await openSqliteStore({ path, leaseMs });
    const failed = {
      ...tried,
      outcome: 'not_sent' as const,
      reason: 'no\u0000',
      message_id: 'SM\u0000\u202e1',
    };
    await source.insert(
      paymentNumber(1, { notification_status: 'failed', reason: 'no\u0000', attempts: [failed] }),
    );
    await source.close();
    await copySqliteToPostgres({ path, url });
    const copied = await (await open(url)).find(paymentNumber(1).payment_id);
    expect(copied).toMatchObject({
      reason: 'no\ufffd',
      attempts: [{ reason: 'no\ufffd', message_id: 'SM\ufffd\ufffd1' }],
    });
  });

  test('given an empty database, copies no rows', async () => {
    const path = newPath();
    await (await openSqliteStore({ path, leaseMs })).close();
    const counts = await copySqliteToPostgres({ path, url: await newDatabase() });
    expect(counts.map(({ source, target }) => [source, target])).toEqual(counts.map(() => [0n, 0n]));
  });
});

describe('an interrupted copy', () => {
  /** Three tables of 3, 8 and 3 rows, each reported at its start and after each batch. */
  const batchSize = 2;
  const reports = 3 + 5 + 3;

  async function copyUpTo(last: number, path: string, url: string, interrupt: () => void): Promise<void> {
    let reported = 0;
    const report = () => {
      reported += 1;
      if (reported === last) interrupt();
    };
    await copySqliteToPostgres({ path, url, batchSize, report });
  }

  async function expectToGoOn(path: string, url: string): Promise<void> {
    expect(differing(await copySqliteToPostgres({ path, url, batchSize }))).toEqual([]);
    expect(await paymentsOf(await open(url))).toStrictEqual(await paymentsAt(path));
  }

  test.each(
    Array.from({ length: reports }, (_, index) => index + 1),
  )('after report %i resumes', async (last) => {
    const [path, url] = [await grow(), await newDatabase()];
    const interrupt = () => {
      throw new Error('interrupted');
    };
    await expect(copyUpTo(last, path, url, interrupt)).rejects.toThrow('interrupted');
    await expectToGoOn(path, url);
  });

  test('given an interruption after every batch, resumes each time', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    const seen: string[] = [];
    for (let isDone = false; !isDone; ) {
      let begun: string | undefined;
      const counts = await copySqliteToPostgres({
        path,
        url,
        batchSize,
        report({ table, copied, total }) {
          if (begun === table) throw new Error(`${table} ${copied} of ${total}`);
          begun = table;
        },
      }).catch((error: Error) => void seen.push(error.message));
      isDone = counts !== undefined;
    }
    expect(seen).toEqual([
      ...['customers 2 of 3', 'customers 3 of 3'],
      ...['payments 2 of 8', 'payments 4 of 8', 'payments 6 of 8', 'payments 8 of 8'],
      ...['idempotency_keys 2 of 3', 'idempotency_keys 3 of 3', 'suppressions 2 of 2'],
      ...['sms_days 1 of 1', 'sms_recipient_hours 2 of 3', 'sms_recipient_hours 3 of 3'],
    ]);
    await expectToGoOn(path, url);
  });

  test('given an error within a batch, throws it without copied data, and resumes', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    await open(url);
    const client = await connectTo(url);
    await client.query('ALTER TABLE attempts ADD CONSTRAINT few CHECK (number < 3)');
    const error = await copySqliteToPostgres({ path, url, batchSize }).catch((error: unknown) => error);
    expect(String(error)).toContain('violates check constraint "few"');
    expect(inspect(error, { depth: null })).not.toMatch(/Pago|SM1/);
    await client.query('ALTER TABLE attempts DROP CONSTRAINT few');
    await expectToGoOn(path, url);
  });

  test('given a connection terminated by the database, resumes', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    await open(url);
    const client = await connectTo(url);
    // So that the copy is not over before its connection ends: the sixth payment is not inserted before that.
    await client.query(`
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
      CREATE TRIGGER wait BEFORE INSERT ON payments FOR EACH ROW
      WHEN (NEW.payment_id = '${paymentNumber(6).payment_id}') EXECUTE FUNCTION wait()`);
    let ended: Promise<unknown> | undefined;
    const interrupt = () => {
      ended = client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
    };
    const error = await copyUpTo(5, path, url, interrupt).catch((error: unknown) => error);
    await ended;
    expect(error).toBeInstanceOf(DatabaseError);
    await client.query('DROP TRIGGER wait ON payments');
    await expectToGoOn(path, url);
  });

  test('given payments updated between its two runs, reports different counts', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    await copySqliteToPostgres({ path, url });
    const store = await openSqliteStore({ path, leaseMs });
    await store.update({
      ...paymentNumber(1),
      notification_status: 'sent',
      attempts: attempts,
    });
    await store.close();
    const counts = await copySqliteToPostgres({ path, url });
    expect(differing(counts).map(({ of }) => of)).toEqual(['payments pending', 'payments sent', 'attempts']);
  });
});

describe('a target with rows that the source lacks', () => {
  const between = `${paymentNumber(1).payment_id}-`;

  test.each<[string, string, (store: Store) => Promise<unknown>]>([
    ['a newer payment', 'payments', (store) => store.insert(paymentNumber(9))],
    ['an older payment', 'payments', (store) => store.insert(paymentNumber(0))],
    ['a payment in between', 'payments', (store) => store.insert(paymentNumber(1, { payment_id: between }))],
    ['a phone', 'customers', (store) => store.putPhone(customer('bea'), '+573001234567')],
  ])('given %s, is refused before anything is copied', async (_name, table, use) => {
    const [path, url] = [await grow(), await newDatabase()];
    await use(await open(url));
    const report = vi.fn();
    await expect(copySqliteToPostgres({ path, url, report })).rejects.toThrow(
      `the PostgreSQL database has ${table} that the SQLite database does not have`,
    );
    expect(report).not.toHaveBeenCalled();
    const client = await connectTo(url);
    const { rows } = await client.query('SELECT 1 FROM customers UNION ALL SELECT 1 FROM payments');
    expect(rows).toHaveLength(1);
  });

  test('given the same last payment, is refused nevertheless', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    const store = await open(url);
    for (const number of [0, payments.length]) await store.insert(paymentNumber(number));
    await expect(copySqliteToPostgres({ path, url })).rejects.toThrow('has payments that');
  });

  test('given a new payment after the copy, is refused', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    await copySqliteToPostgres({ path, url });
    await (await open(url)).insert(paymentNumber(9));
    await expect(copySqliteToPostgres({ path, url })).rejects.toThrow('is it already in use?');
  });
});

describe('a source of the copy', () => {
  test('given a missing file, is not created', async () => {
    const path = newPath();
    await expect(copySqliteToPostgres({ path, url: await newDatabase() })).rejects.toThrow(
      `there is no database at ${path}`,
    );
    expect(existsSync(path)).toBe(false);
  });

  test('given payments that cannot be read, names them, and copies nothing', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    const [first, second] = [paymentNumber(2).payment_id, paymentNumber(5).payment_id];
    const db = new DatabaseSync(path);
    db.exec(`UPDATE payments SET attempts = 'no JSON' WHERE payment_id = '${first}'`);
    db.exec(`UPDATE payments SET expires_at = 'tomorrow' WHERE payment_id = '${second}'`);
    db.close();
    await expect(copySqliteToPostgres({ path, url })).rejects.toThrow(
      `these payments cannot be read, so repair or remove them first: ${first}, ${second}`,
    );
    const { rows } = await (await connectTo(url)).query(
      "SELECT 1 FROM pg_tables WHERE tablename = 'payments'",
    );
    expect(rows).toEqual([]);
  });

  test('given a file of another kind, is left unchanged', async () => {
    const path = newPath();
    writeFileSync(path, '');
    await expect(copySqliteToPostgres({ path, url: await newDatabase() })).rejects.toThrow(
      `${path} is not a database of payment-service`,
    );
    expect(readFileSync(path, 'utf8')).toBe('');
    writeFileSync(path, 'no database at all');
    await expect(copySqliteToPostgres({ path, url: await newDatabase() })).rejects.toThrow('not a database');
  });

  test('given a service that has it open, rejects writes during the copy, so that none is lost', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    const service = await openSqliteStore({ path, leaseMs });
    onTestFinished(() => service.close());
    const writes: Promise<unknown>[] = [];
    // The copy waits until they are rejected: otherwise it would end before they time out at the lock.
    const query = pg.Client.prototype.query as (...args: unknown[]) => Promise<unknown>;
    const slowly = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(async function (
      this: pg.Client,
      ...args: unknown[]
    ) {
      await Promise.all(writes);
      return query.apply(this, args);
    });
    onTestFinished(() => slowly.mockRestore());
    const counts = await copySqliteToPostgres({
      path,
      url,
      report: () => {
        if (writes.length < 2)
          writes.push(service.insert(paymentNumber(10 + writes.length)).catch((error: unknown) => error));
      },
    });
    slowly.mockRestore();
    for (const error of await Promise.all(writes)) expect(error).toBeInstanceOf(StoreUnavailable);
    expect(writes).toHaveLength(2);
    expect(differing(counts)).toEqual([]);
    expect(await paymentsOf(service)).toStrictEqual(await paymentsOf(await open(url)));
    await service.insert(paymentNumber(10)); // the lock is released
  });
});

describe('the command migrate:sqlite-to-postgres', () => {
  const main = join(import.meta.dirname, '../../../src/migrate-sqlite-to-postgres.ts');

  const run = (args: string[], options: string[] = [], env: Record<string, string> = {}) =>
    promisify(execFile)(process.execPath, [...options, main, ...args], {
      cwd: directory,
      env: { ...process.env, ...env },
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );

  test('copies, and prints the counts of both databases', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    const { code, stdout, stderr } = await run([`file:${path}`, url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^customers: 3 of 3\n/m);
    expect(stdout).toMatch(/^payments +8 +8$/m);
    expect(stdout).toMatch(/\nAll records are in PostgreSQL\.\n$/);
    expect(stdout).not.toContain('+57');
  });

  test('given no second URL, copies to that of the settings, with a password from a file', async () => {
    const [path, url] = [await grow(), new URL(await newDatabase())];
    const passwordFile = join(directory, 'password');
    writeFileSync(passwordFile, `${url.password}\n`);
    url.password = '';
    const settings = { DATABASE_URL: url.href, DATABASE_PASSWORD_FILE: passwordFile };
    const { code, stdout } = await run([`file:${path}`], [], settings);
    expect([code, stdout]).toEqual([0, expect.stringContaining('All records are in PostgreSQL.')]);
    const wrong = await run([`file:${path}`], [], { ...settings, DATABASE_PASSWORD_FILE: directory });
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      `The configuration is invalid:\n  DATABASE_PASSWORD_FILE: ${directory} is a folder, and not a file\n`,
    ]);
  });

  test.each([
    [[]],
    [['file:a.db']],
    [['file:a.db', 'postgres://host']],
    [['file:a.db', 'postgres://host/db', 'more']],
    [['file:a.db?mode=ro', 'postgres://host/db']],
    [['file::memory:', 'postgres://host/db']],
  ])('given the arguments %j, prints its usage', async (args) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^Usage: npm run migrate:sqlite-to-postgres -- file:/);
  });

  test('given a failed copy, prints the error without the password', async () => {
    const path = await grow();
    const { code, stderr } = await run([`file:${path}`, 'postgres://payments:secret@127.0.0.1:1/payments']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'The payments could not be copied: connect ECONNREFUSED 127.0.0.1:1 (ECONNREFUSED)\n',
    });
  });

  test('given different rows, reports that the databases differ', async () => {
    const [path, url] = [await grow(), await newDatabase()];
    await copySqliteToPostgres({ path, url });
    await (await connectTo(url)).query("UPDATE payments SET notification_status = 'sent'");
    const { code, stderr } = await run([`file:${path}`, url]);
    expect(code).toBe(1);
    expect(stderr).toContain('The databases differ');
  });

  test('copies 20 000 payments in 40 MB of heap, resumed after a kill', { timeout: 30_000 }, async () => {
    const [path, url] = [newPath(), await newDatabase()];
    const store = await openSqliteStore({ path, leaseMs });
    const fields = {
      amount_minor: Number.MAX_SAFE_INTEGER,
      attempts: attempts.slice(-1),
      message: 'Pago '.repeat(320),
    };
    await Promise.all(
      Array.from({ length: 20_000 }, (_, number) => store.insert(paymentNumber(number, fields))),
    );
    await store.close();
    const littleMemory = '--max-old-space-size=40'; // in MB; the texts alone are 32
    const killed = spawn(process.execPath, [littleMemory, main, `file:${path}`, url], { stdio: 'ignore' });
    const closed = once(killed, 'close');
    const client = await connectTo(url);
    const count = () =>
      client.query('SELECT count(*)::int AS count FROM payments').then(
        ({ rows }) => rows[0].count,
        () => 0, // the table is not there yet
      );
    await vi.waitUntil(async () => (await count()) > 0, { timeout: 10_000, interval: 10 });
    killed.kill('SIGKILL');
    await closed;

    const { code, stdout, stderr } = await run([`file:${path}`, url], [littleMemory]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const sum = 20_000n * BigInt(Number.MAX_SAFE_INTEGER);
    expect(stdout).toMatch(new RegExp(`^sum of amount_minor +${sum} +${sum}$`, 'm'));
  });
});
