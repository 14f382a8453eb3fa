import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import type { Provider } from 'service-kit/contract/notification.ts';
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Attempt, Payment } from '../../../src/domain/payment.ts';
import { commitGroup } from '../../../src/store/sqlite/group-commit.ts';
import { openSqliteStore } from '../../../src/store/sqlite/store.ts';
import { openWriter } from '../../../src/store/sqlite/writer.ts';
import { CommitUnknown, LeaseLost, type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { describeControls } from '../control-contract.ts';
import { customer } from '../customer.ts';
import { describeErasure } from '../erasure-contract.ts';
import { describeEvents } from '../event-contract.ts';
import { describeFinding } from '../find-contract.ts';
import { describeOperations } from '../operations-contract.ts';
import { describeOwners } from '../owner-contract.ts';
import { describeStore, everything, paymentNumber, recordOf, running } from '../store-contract.ts';
import { describeSuppressions } from '../suppression-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'sqlite-store-'));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const newPath = () => join(directory, `${randomUUID()}.db`);

describeStore('SQLite', (leaseMs) => openSqliteStore({ path: newPath(), leaseMs }));
describeOwners('SQLite', (clientsIsolated) => openSqliteStore({ path: newPath(), leaseMs, clientsIsolated }));
describeSuppressions('SQLite', (leaseMs) => openSqliteStore({ path: newPath(), leaseMs }));
describeControls('SQLite', (leaseMs) => openSqliteStore({ path: newPath(), leaseMs }));
describeOperations('SQLite', (leaseMs) => openSqliteStore({ path: newPath(), leaseMs }));
describeErasure('SQLite', (options) => openSqliteStore({ path: newPath(), ...options }));
test('a read of a list leaves the event loop a turn, so that a long one, page after page, holds up nothing', async () => {
  const store = await openSqliteStore({ path: newPath(), leaseMs });
  let turns = 0;
  const turning = setInterval(() => (turns += 1), 0);
  for (let page = 0; page < 5000; page += 1) await store.list({ limit: 1 });
  clearInterval(turning);
  expect(turns).toBeGreaterThan(5);
  await store.close();
});

describeFinding('SQLite', (leaseMs) => openSqliteStore({ path: newPath(), leaseMs }));
describeEvents('SQLite', (leaseMs, events) => openSqliteStore({ path: newPath(), leaseMs, events }));

test('once clients are no longer isolated, a phone that one of them stored is deleted with the customer', async () => {
  const path = newPath();
  const isolated = await openSqliteStore({ path, leaseMs, clientsIsolated: true });
  await isolated.putPhone(customer('1', 'shop'), '+573001234567');
  await isolated.close();
  const shared = await openSqliteStore({ path, leaseMs });
  expect(await shared.deletePhone(customer('1'))).toBe(true);
  await shared.close();
  const again = await openSqliteStore({ path, leaseMs, clientsIsolated: true });
  expect(await again.findPhone(customer('1', 'shop'))).toBeUndefined();
  await again.close();
});

describe('durability of the SQLite store', () => {
  test('a stored payment is found after the file is reopened', async () => {
    const path = newPath();
    const first = await openSqliteStore({ path, leaseMs });
    await first.insert(paymentNumber(1));
    await first.close();
    const second = await open(path);
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
    await write(await open(path));
    const rows = connectTo(path).prepare('SELECT notification_status FROM payments').all();
    expect(rows).toMatchObject([{ notification_status: 'pending' }]);
  });

  test('the journal is a write-ahead log', async () => {
    const path = newPath();
    await open(path);
    expect(connectTo(path).prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' });
  });

  test('commits are synced to the disk, and foreign keys are enforced', () => {
    // Both settings belong to a connection and can be read only there: the spy records the writer's.
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    onTestFinished(() => exec.mockRestore());
    write(newPath());
    const connection = exec.mock.contexts[0] as DatabaseSync;
    const full = 2;
    expect(connection.prepare('PRAGMA synchronous').get()).toMatchObject({ synchronous: full });
    expect(connection.prepare('PRAGMA foreign_keys').get()).toMatchObject({ foreign_keys: 1 });
  });
});

test('the attempts view returns a row for each attempt, for queries by hand', async () => {
  const path = newPath();
  const store = await open(path);
  const attempt = running()[0] as Attempt;
  const attempts: Attempt[] = [
    { ...attempt, provider: 'Aldeamo', outcome: 'not_sent', reason: 'timeout', duration_ms: 3 },
    attempt,
  ];
  await store.insert(paymentNumber(1, { attempts }));
  await store.insert(paymentNumber(2));
  const rows = connectTo(path).prepare('SELECT * FROM attempts ORDER BY payment_id, number').all();
  const { payment_id } = paymentNumber(1);
  expect(rows).toEqual(
    attempts.map((attempt, index) => ({ payment_id, number: index + 1, ...attempt, deliveries: null })),
  );
});

describe('the SQLite writer', () => {
  /** The frames in the write-ahead log that end a commit (https://www.sqlite.org/fileformat2.html#walformat). */
  function commitsIn(path: string): number {
    const log = readFileSync(`${path}-wal`);
    const frameSize = 24 + log.readUInt32BE(8);
    let commits = 0;
    for (let frame = 32; frame < log.length; frame += frameSize)
      if (log.readUInt32BE(frame + 4) > 0) commits += 1;
    return commits;
  }

  async function countCommits() {
    const path = newPath();
    const store = await open(path);
    const before = commitsIn(path);
    return { store, commits: () => commitsIn(path) - before };
  }

  test('commits concurrent writes together', async () => {
    const { store, commits } = await countCommits();
    await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        number % 10 === 9 ? store.check() : store.insert(paymentNumber(number)),
      ),
    );
    expect(commits()).toBe(1);
  });

  test('commits a lone write at once instead of waiting for others', async () => {
    const { store, commits } = await countCommits();
    for (const number of [1, 2, 3]) await store.insert(paymentNumber(number));
    expect(commits()).toBe(3);
  });

  test('given a bad write among concurrent ones, commits each of them separately', async () => {
    const { store, commits } = await countCommits();
    await Promise.allSettled([1, 2, 1, 3].map((number) => store.insert(paymentNumber(number))));
    expect(commits()).toBe(3);
  });

  test('carries out concurrent writes in the order of their calls', async () => {
    const { store } = await countCommits();
    const [first, second] = ['+573001234567', '+573009999999'];
    await Promise.all([
      store.putPhone(customer('1'), first),
      store.putPhone(customer('1'), second),
      store.deletePhone(customer('1')),
      store.putPhone(customer('1'), first),
      store.putPhone(customer('2'), first),
      store.deletePhone(customer('2')),
    ]);
    expect([await store.findPhone(customer('1')), await store.findPhone(customer('2'))]).toEqual([
      first,
      undefined,
    ]);
  });
});

describe('commitGroup', () => {
  function openCounter() {
    const db = new DatabaseSync(':memory:');
    onTestFinished(() => db.close());
    db.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY)');
    const put = db.prepare('INSERT INTO numbers VALUES (?)');
    const numbers = () => db.prepare('SELECT number FROM numbers').all() as { number: number }[];
    const exec = vi.spyOn(db, 'exec');
    return {
      db,
      exec,
      begun: () => exec.mock.calls.filter(([sql]) => sql.startsWith('BEGIN')).length,
      put: (number: number) => () => Number(put.run(number).changes),
      numbers: () => numbers().map((row) => row.number),
    };
  }

  test('returns the result of each write, in the order of the group', () => {
    const { db, numbers } = openCounter();
    const order: string[] = [];
    const outcomes = commitGroup(
      db,
      ['first', 'second', 'third'].map((name) => () => order.push(name)),
    );
    expect(order).toEqual(['first', 'second', 'third']);
    expect(outcomes).toEqual([{ result: 1 }, { result: 2 }, { result: 3 }]);
    expect(numbers()).toEqual([]);
  });

  test('given a bad write, rolls back all of it, and returns its error', () => {
    const { db, put, numbers } = openCounter();
    const twice = () => {
      put(2)();
      return put(2)();
    };
    const outcomes = commitGroup(db, [put(1), twice, put(3)]);
    expect(outcomes).toEqual([
      { result: 1 },
      { error: expect.objectContaining({ message: expect.stringMatching(/UNIQUE/) }) },
      { result: 1 },
    ]);
    expect(numbers()).toEqual([1, 3]);
    expect(db.isTransaction).toBe(false);
  });

  test('given a failed commit, leaves no transaction open, and commits the next group', () => {
    const { db, exec, put, numbers } = openCounter();
    // The disk is full at the commit.
    exec.mockImplementation((sql) => {
      if (sql === 'COMMIT') throw new Error('disk full');
      return DatabaseSync.prototype.exec.call(db, sql);
    });
    const error = expect.objectContaining({ message: 'disk full' });
    expect(commitGroup(db, [put(1), put(2)])).toEqual([{ error }, { error }]);
    expect(db.isTransaction).toBe(false);
    exec.mockRestore();
    commitGroup(db, [put(2)]);
    expect(numbers()).toEqual([2]);
  });

  test('given a locked database, waits once for the group instead of once for each write', () => {
    const { db, exec, put, begun } = openCounter();
    exec.mockImplementation(() => {
      throw Object.assign(new Error('database is locked'), { errcode: 5 });
    });
    const error = expect.objectContaining({ message: 'database is locked' });
    expect(commitGroup(db, [put(1), put(2), put(3)])).toEqual([{ error }, { error }, { error }]);
    expect(begun()).toBe(1);
  });
});

describe('the SQLite store, given a lock of another connection', () => {
  test('rejects writes until the lock is released, and still reads', async () => {
    const path = newPath();
    const store = await open(path);
    await store.insert(paymentNumber(1));
    const other = connectTo(path);
    other.exec('BEGIN EXCLUSIVE');
    const results = await Promise.allSettled([
      store.insert(paymentNumber(2)),
      store.update(paymentNumber(1)),
      store.check(),
    ]);
    const reason = expect.any(StoreUnavailable);
    expect(results).toEqual(Array.from({ length: 3 }, () => ({ status: 'rejected', reason })));
    expect(await store.find(paymentNumber(1).payment_id)).toBeDefined();
    other.exec('ROLLBACK');
    await store.check();
    await store.insert(paymentNumber(2));
    expect((await store.list(everything))?.payments).toHaveLength(2);
  });

  test('delays writes, but neither reads nor the event loop', async () => {
    const path = newPath();
    const store = await open(path);
    await store.insert(paymentNumber(1));
    const other = connectTo(path);
    other.exec('BEGIN IMMEDIATE');
    let isWritten = false;
    const writing = store.insert(paymentNumber(2)).then(() => {
      isWritten = true;
    });
    // A write that blocked this thread would time out, because the lock is released on this thread.
    for (let turn = 0; turn < 10; turn += 1) {
      await new Promise(setImmediate);
      expect((await store.list(everything))?.payments).toStrictEqual([paymentNumber(1)]);
      expect(await store.backlog()).toMatchObject({ size: 1 });
    }
    expect(isWritten).toBe(false);
    other.exec('ROLLBACK');
    await writing;
    expect(await store.find(paymentNumber(2).payment_id)).toStrictEqual(paymentNumber(2));
  });
});

describe('the writer thread', () => {
  /** Opens a store, and returns its writer thread, too. */
  async function openWithThread(path = newPath()) {
    const started = once(process, 'worker') as Promise<[Worker]>;
    const store = await openSqliteStore({ path, leaseMs });
    const [thread] = await started;
    return { store, thread };
  }

  test('ends when the store is closed, after committing earlier writes', async () => {
    const path = newPath();
    const { store, thread } = await openWithThread(path);
    const ended = once(thread, 'exit');
    // More than one group, so that some writes still wait when the store is closed.
    const writing = [];
    for (const number of [1, 2, 3, 4]) {
      writing.push(store.insert(paymentNumber(number)), store.insert(paymentNumber(10 + number)));
      await new Promise(setImmediate);
    }
    await store.close();
    expect(await ended).toEqual([0]);
    expect(existsSync(`${path}-wal`)).toBe(false);
    await Promise.all(writing);
    const { count } = connectTo(path).prepare('SELECT count(*) AS count FROM payments').get() ?? {};
    expect(count).toBe(8);
  });

  test('given an error, rejects every write, and leaves the error unhandled', async () => {
    const { store, thread } = await openWithThread();
    // Without a listener, the error stops the process.
    expect(thread.listenerCount('error')).toBe(0);
    const died = once(thread, 'error');
    // Right before the write, so that the thread has not ended when that is sent.
    const send = thread.postMessage.bind(thread);
    thread.postMessage = (request) => {
      send('no request');
      send(request);
    };
    const write = store.insert(paymentNumber(1));
    await expect(write).rejects.toBeInstanceOf(CommitUnknown);
    expect(await died).toEqual([expect.any(TypeError)]);
    await expect(store.insert(paymentNumber(2))).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.redact(Date.now(), 1)).rejects.toBeInstanceOf(StoreUnavailable);
    await store.close();
  });
});

describe('opening a SQLite store', () => {
  test('creates its directory', async () => {
    const store = await open(join(directory, randomUUID(), 'deep', 'payments.db'));
    await store.check();
  });

  test('applies each migration once, and stores the schema version', () => {
    const path = newPath();
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    onTestFinished(() => exec.mockRestore());
    // Counts the migrations that create tables.
    const applied = () => exec.mock.calls.filter(([sql]) => sql.includes('CREATE TABLE')).length;
    write(path);
    expect(applied()).toBe(8);
    write(path);
    expect(applied()).toBe(8);
    expect(connectTo(path).prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 16 });
  });

  test('given a database of a newer release, throws, and leaves it unchanged', async () => {
    const path = newPath();
    const newer = connectTo(path);
    newer.exec('PRAGMA user_version = 99');
    await expect(openSqliteStore({ path, leaseMs })).rejects.toThrow(
      'The database has schema version 99; this release supports versions up to 16.',
    );
    expect(newer.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 99 });
    expect(newer.prepare('SELECT name FROM sqlite_master').all()).toEqual([]);
  });

  test('given a file that is not a database, throws', async () => {
    const path = newPath();
    writeFileSync(path, 'This is a letter, and no database at all.\n'.repeat(100));
    await expect(openSqliteStore({ path, leaseMs })).rejects.toThrow('is not a SQLite database');
  });

  test('given a directory, throws', async () => {
    await expect(openSqliteStore({ path: directory, leaseMs })).rejects.toThrow(
      'unable to open database file',
    );
  });
});

describe('the SQLite store, reopened after a crash', () => {
  const now = Date.parse('2026-03-01T12:00:00.000Z');
  const at = (ms: number) => new Date(now + ms).toISOString();

  test('makes interrupted notifications due at once with a new fencing token, and leaves other due times', async () => {
    vi.useFakeTimers({ now, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const path = newPath();
    const first = await openSqliteStore({ path, leaseMs });
    await first.insert(paymentNumber(1, { attempts: running() }));
    await first.insert(paymentNumber(2, { attempts: [], next_attempt_at: at(1) }));
    await first.insert(paymentNumber(3, { notification_status: 'sent' }));
    await first.insert(paymentNumber(4));
    await first.close();
    const second = await open(path);
    expect(await second.claimDue(10)).toStrictEqual([paymentNumber(1, { attempts: running(), fence: 2 })]);
    // The worker that ran it before the crash has lost its lease.
    await expect(second.update(paymentNumber(1))).rejects.toBeInstanceOf(LeaseLost);
    vi.setSystemTime(now + 1);
    expect((await second.claimDue(10)).map(({ payment_id }) => payment_id)).toEqual([
      paymentNumber(2).payment_id,
    ]);
    vi.setSystemTime(now + 10 * leaseMs);
    const due = (await second.claimDue(10)).map(({ payment_id }) => payment_id);
    expect(due.toSorted()).toEqual([1, 2].map((number) => paymentNumber(number).payment_id));
  });

  test('finds idempotency keys and their answers', async () => {
    const path = newPath();
    const first = await openSqliteStore({ path, leaseMs });
    const record = recordOf('key-1', paymentNumber(1), { answer: { status: 201, body: '{"ñ": 1.50}' } });
    await first.insert(paymentNumber(1), record);
    await first.close();
    expect(
      await (await open(path)).insert(paymentNumber(2), recordOf('key-1', paymentNumber(2))),
    ).toStrictEqual({ known: record });
  });
});

describe('the write-ahead log, after redact', () => {
  const now = Date.parse('2026-03-01T12:00:00.000Z');
  beforeEach(() => void vi.useFakeTimers({ now, toFake: ['Date', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  const phone = '+573001234567';
  const sent = (number: number) => paymentNumber(number, { phone, notification_status: 'sent' });
  const phonesIn = (file: string) => readFileSync(file, 'latin1').split(phone).length - 1;

  test('contains no redacted phone while the store is open, nor does the database', async () => {
    const path = newPath();
    const store = await open(path);
    await store.insert(sent(1));
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    expect(await store.redact(now, 10)).toBe(1);
    expect([phonesIn(path), phonesIn(`${path}-wal`)]).toEqual([0, 0]);
  });

  test('contains neither text nor phone of 100 payments after close, nor does the database', async () => {
    const path = newPath();
    const store = await openSqliteStore({ path, leaseMs });
    const message = 'Un texto que un día se olvida';
    const [attempt] = running() as [Attempt];
    const pay = async (number: number) => {
      await store.insert(paymentNumber(number, { phone, message, attempts: [attempt] }));
      const accepted: Attempt = { ...attempt, outcome: 'accepted', message_id: 'sms-1', duration_ms: 7 };
      await store.update({ ...sent(number), message, attempts: [accepted] });
    };
    await Promise.all(Array.from({ length: 100 }, (_, number) => pay(number)));
    expect(await store.redact(now, 1000)).toBe(100);
    await store.close();
    for (const file of [path, `${path}-wal`].filter((name) => existsSync(name))) {
      const bytes = readFileSync(file);
      expect(bytes.includes(message), file).toBe(false);
      expect(bytes.includes(phone), file).toBe(false);
    }
  });

  test('is emptied once a minute at most, and not while more payments are to be redacted', async () => {
    const path = newPath();
    const store = await open(path);
    for (const number of [1, 2, 3]) await store.insert(sent(number));
    await store.redact(now, 2);
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    await store.redact(now, 2);
    expect(phonesIn(`${path}-wal`)).toBe(0);
    await store.insert(sent(4));
    await store.redact(now, 2);
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    vi.setSystemTime(now - 3_600_000); // the minute is one of the monotonic clock
    vi.advanceTimersByTime(60_000);
    await store.redact(now, 2); // no payment is left to redact, but the log still contains a phone
    expect(phonesIn(`${path}-wal`)).toBe(0);
  });

  test('given a reader such as a backup, is emptied a minute later', async () => {
    const path = newPath();
    const store = await open(path);
    await store.insert(sent(1));
    const backup = connectTo(path);
    backup.exec('BEGIN');
    backup.prepare('SELECT count(*) FROM payments').get();
    expect(await store.redact(now, 10)).toBe(1);
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    backup.exec('ROLLBACK');
    vi.advanceTimersByTime(60_000);
    await store.redact(now, 10);
    expect(phonesIn(`${path}-wal`)).toBe(0);
  });

  test('given a crash before it was emptied, is emptied after the store is reopened', async () => {
    const path = newPath();
    const first = await open(path);
    await first.insert(sent(1));
    await first.insert(sent(2));
    await first.redact(now, 2); // a full batch does not empty the log, so that this is the state after a crash
    expect(phonesIn(`${path}-wal`)).toBeGreaterThan(0);
    await (await open(path)).redact(now, 10);
    expect([phonesIn(path), phonesIn(`${path}-wal`)]).toEqual([0, 0]);
  });
});

describe('migrations of a database of the first release', () => {
  /** The exact schema of the first release. */
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
  /** Of later releases. */
  const later = { mode: null, phone_last4: null, deliveries: [] };
  const attempts = {
    refused: attempt('Aldeamo', 'not_sent', 'connection_refused'),
    accepted: attempt('Twilio', 'accepted', null),
    rejected: attempt('Aldeamo', 'rejected', 'opted_out'),
    running: attempt('Twilio', null, null),
  };

  function attempt(provider: Provider, outcome: Attempt['outcome'], reason: string | null): Attempt {
    const message_id = outcome === 'accepted' ? 'SM1' : null;
    return { provider, outcome, reason, message_id, started_at, duration_ms: outcome && 12, ...later };
  }

  const payment = (number: number, status: Payment['notification_status'], ...given: Attempt[]) =>
    paymentNumber(number, {
      created_at: created,
      updated_at: null,
      expires_at,
      phone: '+573001234567',
      traceparent: null,
      request_id: null,
      notification_status: status,
      notification_service: status === 'sent' ? 'Twilio' : null,
      message: 'Pago 😀',
      encoding: 'UCS-2',
      segments: 1,
      reason: null,
      attempts: given,
      next_attempt_at: null,
    });

  /** Opens a database of the first release that contains the payments. */
  async function openMigrated(...payments: Payment[]): Promise<Store> {
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
      attempts,
      encoding: _encoding,
      segments: _segments,
      reason: _reason,
      expires_at: _,
      retries: _retries,
      reopened: _reopened,
      fence: _fence,
      traceparent: _traceparent,
      request_id: _request_id,
      updated_at: _updatedAt,
      ask_at: _askAt,
      asks: _asks,
      client: _client,
      reference: _reference,
      metadata: _metadata,
      actions: _actions,
      ...rest
    } of payments) {
      insertPayment.run(rest);
      attempts.forEach(({ mode: _mode, phone_last4: _last4, deliveries: _deliveries, ...attempt }, index) => {
        insertAttempt.run({ payment_id: rest.payment_id, number: index + 1, ...attempt });
      });
    }
    return open(path);
  }

  const sent = payment(1, 'sent', attempts.refused, attempts.accepted);
  const pending = payment(2, 'pending', attempts.refused, attempts.refused);
  const interrupted = payment(3, 'pending', attempts.refused, attempts.running);

  test('leave a sent notification unchanged and never due', async () => {
    const store = await openMigrated(sent);
    expect(await store.find(sent.payment_id)).toStrictEqual(sent);
    expect(await store.claimDue(10)).toEqual([]);
  });

  test('make pending notifications due at once, and expire a day after their payments', async () => {
    const before = Date.now();
    const store = await openMigrated(sent, pending, interrupted);
    const found = await store.find(pending.payment_id);
    const next_attempt_at = found?.next_attempt_at ?? '';
    expect(found).toStrictEqual({
      ...pending,
      next_attempt_at,
    });
    expect(Date.parse(next_attempt_at)).toBeGreaterThanOrEqual(before - 1);
    expect(Date.parse(next_attempt_at)).toBeLessThanOrEqual(Date.now());
    const due = (await store.claimDue(10)).map(({ payment_id }) => payment_id);
    expect(due.toSorted()).toEqual([pending.payment_id, interrupted.payment_id]);
  });

  // Retries by hand depend on the reason: without it, a rejected recipient would get another send.
  test('give a failed notification its reason', async () => {
    const failed = payment(4, 'failed', attempts.rejected);
    const store = await openMigrated(failed);
    expect(await store.find(failed.payment_id)).toStrictEqual({
      ...failed,
      reason: 'opted_out',
    });
  });

  test('allow new payments and keys', async () => {
    const store = await openMigrated(sent);
    await store.insert(paymentNumber(9), recordOf('key-1', paymentNumber(9)));
    expect((await store.list(everything))?.payments).toStrictEqual([paymentNumber(9), sent]);
  });
});

async function open(path: string): Promise<Store> {
  const store = await openSqliteStore({ path, leaseMs });
  onTestFinished(() => store.close());
  return store;
}

/** Does on this thread what the writer thread does at its start. */
function write(path: string): void {
  const writer = openWriter({ path, now: Date.now() });
  onTestFinished(() => writer.close());
}

function connectTo(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000 }); // the writer may hold the lock
  onTestFinished(() => db.close());
  return db;
}
