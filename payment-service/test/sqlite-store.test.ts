import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Provider } from 'service-kit/notification.ts';
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Attempt, Payment } from '../src/payment.ts';
import { createGroupCommit } from '../src/store/group-commit.ts';
import { openSqliteStore } from '../src/store/sqlite-store.ts';
import { LeaseLost, type PaymentQuery, type Store, StoreUnavailable } from '../src/store/store.ts';
import { describeStore, everything, paymentNumber, recordOf, running } from './store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'sqlite-store-'));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const newPath = () => join(directory, `${randomUUID()}.db`);

describeStore('SQLite', (leaseMs) => openSqliteStore({ path: newPath(), leaseMs }));

describe('durability', () => {
  test('what is kept is there when the file is opened again', async () => {
    const path = newPath();
    const first = openSqliteStore({ path, leaseMs });
    await first.insert(paymentNumber(1));
    await first.close();
    const second = open(path);
    expect((await second.list(everything))?.payments).toStrictEqual([paymentNumber(1)]);
  });

  test.each([
    ['insert', (store: Store) => store.insert(paymentNumber(1))],
    [
      'insert and update',
      async (store: Store) => {
        await store.insert(paymentNumber(1, { notification_status: 'sent' }));
        await store.update(paymentNumber(1));
      },
    ],
  ])('%s is committed when its promise resolves', async (_name, write) => {
    const path = newPath();
    await write(open(path));
    const rows = connectTo(path).prepare('SELECT notification_status FROM payments').all();
    expect(rows).toMatchObject([{ notification_status: 'pending' }]);
  });

  test('the log is a write-ahead log', () => {
    const path = newPath();
    open(path);
    expect(connectTo(path).prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' });
  });

  test('a commit waits for the disk, and attempts belong to a payment', () => {
    // Both are settings of a connection, and only it can tell: the spy gets hold of the store's.
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    onTestFinished(() => exec.mockRestore());
    open(newPath());
    const connection = exec.mock.contexts[0] as DatabaseSync;
    const full = 2;
    expect(connection.prepare('PRAGMA synchronous').get()).toMatchObject({ synchronous: full });
    expect(connection.prepare('PRAGMA foreign_keys').get()).toMatchObject({ foreign_keys: 1 });
  });
});

describe('writes that arrive together', () => {
  function countCommits() {
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    onTestFinished(() => exec.mockRestore());
    return () => exec.mock.calls.filter(([sql]) => sql === 'COMMIT').length;
  }

  test('share one commit', async () => {
    const store = open(newPath());
    const commits = countCommits();
    await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        number % 10 === 9 ? store.check() : store.insert(paymentNumber(number)),
      ),
    );
    expect(commits()).toBe(1);
  });

  test('do not wait for others: one that comes alone has a commit of its own', async () => {
    const store = open(newPath());
    const commits = countCommits();
    for (const number of [1, 2, 3]) await store.insert(paymentNumber(number));
    expect(commits()).toBe(3);
  });

  test('have a commit each if one of them is bad', async () => {
    const store = open(newPath());
    const commits = countCommits();
    await Promise.allSettled([1, 2, 1, 3].map((number) => store.insert(paymentNumber(number))));
    expect(commits()).toBe(3);
  });
});

describe('createGroupCommit', () => {
  function openCounter() {
    const db = new DatabaseSync(':memory:');
    onTestFinished(() => db.close());
    db.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY)');
    const put = db.prepare('INSERT INTO numbers VALUES (?)');
    const numbers = () => db.prepare('SELECT number FROM numbers').all() as { number: number }[];
    return {
      db,
      put: (number: number) => () => void put.run(number),
      numbers: () => numbers().map((row) => row.number),
    };
  }

  test('keeps the order in which the writes were given', async () => {
    const { db, numbers } = openCounter();
    const { write } = createGroupCommit(db);
    const order: string[] = [];
    await Promise.all([
      write(() => void order.push('first')),
      write(() => void order.push('second')),
      write(() => void order.push('third')),
    ]);
    expect(order).toEqual(['first', 'second', 'third']);
    expect(numbers()).toEqual([]);
  });

  test('rolls a bad write back as a whole, and rejects it with what went wrong', async () => {
    const { db, put, numbers } = openCounter();
    const { write } = createGroupCommit(db);
    const results = await Promise.allSettled([
      write(put(1)),
      write(() => {
        put(2)();
        put(2)(); // twice the same key
      }),
      write(put(3)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { message: /UNIQUE/ } });
    expect(numbers()).toEqual([1, 3]);
    expect(db.isTransaction).toBe(false);
  });

  test('a commit that fails leaves no transaction behind, and the next one is well', async () => {
    const { db, put, numbers } = openCounter();
    const { write } = createGroupCommit(db);
    const exec = vi.spyOn(db, 'exec');
    // A disk that is full when the commit comes.
    exec.mockImplementation((sql) => {
      if (sql === 'COMMIT') throw new Error('disk full');
      return DatabaseSync.prototype.exec.call(db, sql);
    });
    await expect(write(put(1))).rejects.toThrow('disk full');
    expect(db.isTransaction).toBe(false);
    exec.mockRestore();
    await write(put(2));
    expect(numbers()).toEqual([2]);
  });

  test('drain commits at once what was given', async () => {
    const { db, put, numbers } = openCounter();
    const { write, drain } = createGroupCommit(db);
    const writing = [write(put(1)), write(put(2))];
    const draining = drain();
    expect(numbers()).toEqual([1, 2]);
    expect(db.isTransaction).toBe(false);
    await Promise.all([draining, ...writing]);
    await drain();
  });
});

describe('a database that another connection has locked', () => {
  test('is unavailable for writes until it is released; reads go on', async () => {
    const path = newPath();
    const store = open(path);
    await store.insert(paymentNumber(1));
    const other = connectTo(path);
    other.exec('BEGIN EXCLUSIVE');
    await expect(store.insert(paymentNumber(2))).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.update(paymentNumber(1))).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(await store.find(paymentNumber(1).payment_id)).toBeDefined();
    other.exec('ROLLBACK');
    await store.check();
    await store.insert(paymentNumber(2));
    expect((await store.list(everything))?.payments).toHaveLength(2);
  });

  // The wait for the lock holds up the event loop.
  test('costs a group of writes one wait, not one for each of them', async () => {
    const path = newPath();
    const store = open(path);
    const other = connectTo(path);
    other.exec('BEGIN EXCLUSIVE');
    const started = performance.now();
    await Promise.allSettled([1, 2, 3, 4, 5, 6].map((number) => store.insert(paymentNumber(number))));
    expect(performance.now() - started).toBeLessThan(1000); // 250 ms once; 7 times is 1750 ms
  });
});

describe('opening', () => {
  test('makes the directory', async () => {
    const store = open(join(directory, randomUUID(), 'deep', 'payments.db'));
    await store.check();
  });

  test('applies a migration once, and counts it', async () => {
    const path = newPath();
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    onTestFinished(() => exec.mockRestore());
    // Each migration brings tables.
    const applied = () => exec.mock.calls.filter(([sql]) => sql.includes('CREATE TABLE')).length;
    await openSqliteStore({ path, leaseMs }).close();
    expect(applied()).toBe(3);
    await openSqliteStore({ path, leaseMs }).close();
    expect(applied()).toBe(3);
    expect(connectTo(path).prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 6 });
  });

  test('refuses a database of a newer release, and leaves it as it is', () => {
    const path = newPath();
    const newer = connectTo(path);
    newer.exec('PRAGMA user_version = 99');
    expect(() => openSqliteStore({ path, leaseMs })).toThrow(
      'The database has schema version 99; this release knows 6.',
    );
    expect(newer.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 99 });
    expect(newer.prepare('SELECT name FROM sqlite_master').all()).toEqual([]);
  });

  test('refuses a file that is no database', () => {
    const path = newPath();
    writeFileSync(path, 'This is a letter, and no database at all.\n'.repeat(100));
    expect(() => openSqliteStore({ path, leaseMs })).toThrow('file is not a database');
  });

  test('refuses a directory', () => {
    expect(() => openSqliteStore({ path: directory, leaseMs })).toThrow('unable to open database file');
  });
});

describe('after a crash', () => {
  const now = Date.parse('2026-03-01T12:00:00.000Z');
  const at = (ms: number) => new Date(now + ms).toISOString();

  test('what ran is due at once, under a fence of its own; all else is due when it was', async () => {
    vi.useFakeTimers({ now, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const path = newPath();
    const first = openSqliteStore({ path, leaseMs });
    await first.insert(paymentNumber(1, { notification: running() }));
    await first.insert(
      paymentNumber(2, { notification: { ...running(), attempts: [], next_attempt_at: at(1) } }),
    );
    await first.insert(paymentNumber(3, { notification_status: 'sent' }));
    await first.insert(paymentNumber(4));
    await first.close();
    const second = open(path);
    expect(await second.claimDue(10)).toStrictEqual([
      paymentNumber(1, { notification: running(), fence: 2 }),
    ]);
    // Who held it before the crash has nothing to say any more.
    await expect(second.update(paymentNumber(1))).rejects.toBeInstanceOf(LeaseLost);
    vi.setSystemTime(now + 1);
    expect((await second.claimDue(10)).map(({ payment_id }) => payment_id)).toEqual([
      paymentNumber(2).payment_id,
    ]);
    vi.setSystemTime(now + 10 * leaseMs);
    const due = (await second.claimDue(10)).map(({ payment_id }) => payment_id);
    expect(due.toSorted()).toEqual([1, 2].map((number) => paymentNumber(number).payment_id));
  });

  test('keys and their answers are still there', async () => {
    const path = newPath();
    const first = openSqliteStore({ path, leaseMs });
    const record = recordOf('key-1', paymentNumber(1), { answer: { status: 201, body: '{"ñ": 1.50}' } });
    await first.insert(paymentNumber(1), record);
    await first.close();
    expect(await open(path).insert(paymentNumber(2), recordOf('key-1', paymentNumber(2)))).toStrictEqual(
      record,
    );
  });
});

describe('the log, once a text was blanked', () => {
  const now = Date.parse('2026-03-01T12:00:00.000Z');
  beforeEach(() => void vi.useFakeTimers({ now, toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  const phone = '+573001234567';
  const sent = (number: number) => paymentNumber(number, { phone, notification_status: 'sent' });
  const phonesIn = (file: string) => readFileSync(file, 'latin1').split(phone).length - 1;

  test('has it no more, nor has the database, while the store is open', async () => {
    const path = newPath();
    const store = open(path);
    await store.insert(sent(1));
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    expect(await store.blank(now, 10)).toBe(1);
    expect([phonesIn(path), phonesIn(`${path}-wal`)]).toEqual([0, 0]);
  });

  test('is emptied once a minute, and not while more is to be blanked', async () => {
    const path = newPath();
    const store = open(path);
    for (const number of [1, 2, 3]) await store.insert(sent(number));
    await store.blank(now, 2);
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    await store.blank(now, 2);
    expect(phonesIn(`${path}-wal`)).toBe(0);
    await store.insert(sent(4));
    await store.blank(now, 2);
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    vi.setSystemTime(now + 60_000);
    await store.blank(now, 2); // nothing is left to be blanked, but for what the log shows
    expect(phonesIn(`${path}-wal`)).toBe(0);
  });

  test('is emptied later if somebody reads it, such as a backup', async () => {
    const path = newPath();
    const store = open(path);
    await store.insert(sent(1));
    const backup = connectTo(path);
    backup.exec('BEGIN');
    backup.prepare('SELECT count(*) FROM payments').get();
    expect(await store.blank(now, 10)).toBe(1);
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    backup.exec('ROLLBACK');
    vi.setSystemTime(now + 60_000);
    await store.blank(now, 10);
    expect(phonesIn(`${path}-wal`)).toBe(0);
  });

  test('is emptied after a crash between the two', async () => {
    const path = newPath();
    const first = open(path);
    await first.insert(sent(1));
    await first.insert(sent(2));
    await first.blank(now, 2); // a full sweep leaves the log alone: from here on it is as if the process had died
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    await open(path).blank(now, 10);
    expect([phonesIn(path), phonesIn(`${path}-wal`)]).toEqual([0, 0]);
  });
});

describe('a database of the first release', () => {
  /** The schema as the first release made it, word for word. */
  const schema = `
    CREATE TABLE payments (
      payment_id TEXT PRIMARY KEY,
      amount_minor INTEGER NOT NULL,
      currency TEXT NOT NULL,
      customer_id TEXT NOT NULL,
      phone TEXT,
      message TEXT NOT NULL,
      notification_service TEXT,
      notification_status TEXT NOT NULL,
      next_attempt_at TEXT,
      created_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX payments_by_customer ON payments (customer_id, payment_id);
    CREATE INDEX payments_by_status ON payments (notification_status, payment_id);

    CREATE TABLE attempts (
      payment_id TEXT NOT NULL REFERENCES payments (payment_id),
      number INTEGER NOT NULL,
      provider TEXT NOT NULL,
      outcome TEXT,
      reason TEXT,
      message_id TEXT,
      started_at TEXT NOT NULL,
      duration_ms INTEGER,
      PRIMARY KEY (payment_id, number)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;`;

  const created = '2026-02-28T23:59:59.999Z';
  const expires_at = '2026-03-01T23:59:59.999Z';
  const started_at = '2026-03-01T00:00:00.001Z';
  const attempts = {
    refused: attempt('Aldeamo', 'not_sent', 'connection_refused'),
    accepted: attempt('Twilio', 'accepted', null),
    rejected: attempt('Aldeamo', 'rejected', 'opted_out'),
    running: attempt('Twilio', null, null),
  };

  function attempt(provider: Provider, outcome: Attempt['outcome'], reason: string | null): Attempt {
    const message_id = outcome === 'accepted' ? 'SM1' : null;
    return { provider, outcome, reason, message_id, started_at, duration_ms: outcome && 12 };
  }

  const payment = (number: number, status: Payment['notification_status'], ...given: Attempt[]) =>
    paymentNumber(number, {
      created_at: created,
      expires_at,
      phone: '+573001234567',
      traceparent: null,
      request_id: null,
      notification_status: status,
      notification_service: status === 'sent' ? 'Twilio' : null,
      notification: {
        message: 'Pago 😀',
        encoding: 'UCS-2',
        segments: 1,
        reason: null,
        attempts: given,
        next_attempt_at: null,
      },
    });

  /** Opens a database in which the first release has left the payments. */
  function openLeft(...payments: Payment[]): Store {
    const path = newPath();
    const db = connectTo(path);
    db.exec(schema);
    const insertPayment = db.prepare(
      `INSERT INTO payments VALUES (:payment_id, :amount_minor, :currency, :customer_id, :phone, :message,
                                    :notification_service, :notification_status, :next_attempt_at, :created_at)`,
    );
    const insertAttempt = db.prepare(
      `INSERT INTO attempts VALUES (:payment_id, :number, :provider, :outcome, :reason, :message_id, :started_at,
                                    :duration_ms)`,
    );
    for (const {
      notification,
      expires_at: _,
      retries: _retries,
      reopened: _reopened,
      fence: _fence,
      traceparent: _traceparent,
      request_id: _request_id,
      ...rest
    } of payments) {
      const { message, next_attempt_at } = notification;
      insertPayment.run({ ...rest, message, next_attempt_at });
      notification.attempts.forEach((attempt, index) => {
        insertAttempt.run({ payment_id: rest.payment_id, number: index + 1, ...attempt });
      });
    }
    return open(path);
  }

  const sent = payment(1, 'sent', attempts.refused, attempts.accepted);
  const pending = payment(2, 'pending', attempts.refused, attempts.refused);
  const interrupted = payment(3, 'pending', attempts.refused, attempts.running);

  test('keeps what was sent as it was, and it is never due', async () => {
    const store = openLeft(sent);
    expect(await store.find(sent.payment_id)).toStrictEqual(sent);
    expect(await store.claimDue(10)).toEqual([]);
  });

  test('keeps what is pending, for a day from its payment, and it is due at once', async () => {
    const before = Date.now();
    const store = openLeft(sent, pending, interrupted);
    const found = await store.find(pending.payment_id);
    const next_attempt_at = found?.notification.next_attempt_at ?? '';
    expect(found).toStrictEqual({
      ...pending,
      notification: { ...pending.notification, next_attempt_at },
    });
    expect(Date.parse(next_attempt_at)).toBeGreaterThanOrEqual(before - 1);
    expect(Date.parse(next_attempt_at)).toBeLessThanOrEqual(Date.now());
    const due = (await store.claimDue(10)).map(({ payment_id }) => payment_id);
    expect(due.toSorted()).toEqual([pending.payment_id, interrupted.payment_id]);
  });

  // A retry by hand goes by it: without it the recipient that was rejected would be asked again.
  test('says of what failed why it did', async () => {
    const failed = payment(4, 'failed', attempts.rejected);
    const store = openLeft(failed);
    expect(await store.find(failed.payment_id)).toStrictEqual({
      ...failed,
      notification: { ...failed.notification, reason: 'opted_out' },
    });
  });

  test('takes payments and keys as any other', async () => {
    const store = openLeft(sent);
    await store.insert(paymentNumber(9), recordOf('key-1', paymentNumber(9)));
    expect((await store.list(everything))?.payments).toStrictEqual([paymentNumber(9), sent]);
  });
});

describe('the plan of a page', () => {
  test.each<[string, Partial<PaymentQuery>, string]>([
    // A scan it is, but along the primary key and no further than the page.
    ['of everything', {}, 'SCAN payments'],
    ['after a payment', { starting_after: 'cursor' }, 'SEARCH payments USING PRIMARY KEY (payment_id<?)'],
    [
      'of a status',
      { notification_status: 'sent' },
      'SEARCH payments USING INDEX payments_by_status (notification_status=?)',
    ],
    [
      'of a status, after a payment',
      { notification_status: 'sent', starting_after: 'cursor' },
      'SEARCH payments USING INDEX payments_by_status (notification_status=? AND payment_id<?)',
    ],
  ])('%s', async (_name, filter, plan) => {
    expect(await planOfPage(filter)).toEqual([plan]);
  });

  test.each<Partial<PaymentQuery>>([
    { customer_id: '1', notification_status: 'sent' },
    { customer_id: '1', notification_status: 'sent', starting_after: 'cursor' },
  ])('of a customer and a status reads no more than the payments of the customer: %j', async (filter) => {
    expect((await planOfPage(filter)).join()).toMatch(/^SEARCH [^,]*customer_id=\?/);
  });

  test('finds the attempts by their key, in order', () => {
    const path = newPath();
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    open(path);
    const sql = prepare.mock.calls.map(([text]) => text).find((text) => text.includes('FROM attempts')) ?? '';
    const plan = planOf(path, sql);
    expect(plan).toContain('SEARCH attempts USING PRIMARY KEY (payment_id=?)');
    expect(plan.join()).not.toMatch(/SCAN attempts|TEMP B-TREE/);
  });

  test('finds what is due by its time, and reads nothing else', () => {
    const path = newPath();
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    open(path);
    const sql = prepare.mock.calls.map(([text]) => text).find((text) => /due_at <= /.test(text)) ?? '';
    const plan = planOf(path, sql);
    expect(plan.join()).toMatch(/SEARCH payments USING (COVERING )?INDEX payments_due \(due_at<\?\)/);
    expect(plan.join()).not.toMatch(/SCAN|TEMP B-TREE/);
  });

  test('counts the backlog, and finds its oldest, by reading nothing else', () => {
    const path = newPath();
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    open(path);
    const statements = prepare.mock.calls
      .map(([text]) => text)
      .filter((text) => /WHERE notification_status = 'pending'/.test(text));
    expect(statements.map((sql) => planOf(path, sql))).toEqual([
      ['SEARCH payments USING COVERING INDEX payments_by_status (notification_status=?)'],
      ['SEARCH payments USING INDEX payments_by_status (notification_status=?)'],
    ]);
  });

  test('finds what is to be blanked by its age, and reads nothing that was blanked', () => {
    const path = newPath();
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    open(path);
    const sql = prepare.mock.calls.map(([text]) => text).find((text) => text.includes("message = ''")) ?? '';
    const plan = planOf(path, sql).join();
    expect(plan).toMatch(/SEARCH payments USING INDEX payments_not_blanked \(created_at<\?\)/);
    expect(plan).not.toMatch(/SCAN|TEMP B-TREE/);
  });

  async function planOfPage(filter: Partial<PaymentQuery>): Promise<unknown[]> {
    const path = newPath();
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    const store = open(path);
    await store.insert(paymentNumber(1, { payment_id: 'cursor' }));
    await store.list({ ...everything, ...filter });
    // The very SQL that was run. It is sorted by an index if the plan has no B-tree of its own.
    const sql = prepare.mock.calls.map(([text]) => text).findLast((text) => text.includes('LIMIT')) ?? '';
    return planOf(path, sql);
  }

  function planOf(path: string, sql: string): unknown[] {
    const steps = connectTo(path).prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
    return steps.map(({ detail }) => detail);
  }
});

function open(path: string): Store {
  const store = openSqliteStore({ path, leaseMs });
  onTestFinished(() => store.close());
  return store;
}

function connectTo(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  return db;
}
