import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../payment.ts';
import { dueAt } from '../retry-policy.ts';
import { createGroupCommit } from './group-commit.ts';
import { type KeyRow, recordOf } from './key-row.ts';
import { migrate } from './sqlite-migrations.ts';
import { type PaymentRow, prepareStatements, selectPage } from './sqlite-statements.ts';
import { type IdempotencyRecord, LeaseLost, type Store, StoreUnavailable } from './store.ts';

/** How long a write waits for another process that holds the database, such as a backup. The event loop waits too. */
const busyTimeoutMs = 250;

/** Emptying the write-ahead log waits for the disk, and for whoever reads it: not after each sweep. */
const emptyLogEveryMs = 60_000;

export interface SqliteStoreOptions {
  path: string;
  leaseMs: number;
}

/** Opens the database at the path, makes it if it is not there, and brings its schema up to date. */
export function openSqliteStore({ path, leaseMs }: SqliteStoreOptions): Store {
  mkdirSync(dirname(path), { recursive: true });
  const { db, statements } = open(path);
  const commits = createGroupCommit(db);
  /** The write-ahead log may still show what was blanked: it is written over only in time, and a crash leaves it. */
  let logHasTraces = true;
  let logEmptiedAt = Number.NEGATIVE_INFINITY;

  function emptyLog(): void {
    logEmptiedAt = Date.now();
    logHasTraces = !statements.emptyLog();
  }

  async function write<T>(operation: () => T): Promise<T> {
    let result: T | undefined;
    await guard(() =>
      commits.write(() => {
        result = operation();
      }),
    );
    return result as T;
  }

  function putAttempts({ payment_id, notification }: Payment): void {
    notification.attempts.forEach((attempt, index) => {
      statements.putAttempt.run({ payment_id, number: index + 1, ...attempt });
    });
  }

  function withAttempts(rows: PaymentRow[]): Payment[] {
    const byPayment = Map.groupBy(
      statements.selectAttempts(rows.map(({ payment_id }) => payment_id)),
      ({ payment_id }) => payment_id,
    );
    return rows.map(({ message, encoding, segments, reason, next_attempt_at, due_at: _, ...payment }) => ({
      ...payment,
      notification: {
        message: message || null,
        encoding,
        segments,
        reason,
        attempts: (byPayment.get(payment.payment_id) ?? []).map(
          ({ payment_id: _payment, number: _number, ...attempt }) => attempt,
        ),
        next_attempt_at,
      },
    }));
  }

  return {
    insert: (payment, record) =>
      write(() => {
        if (record) {
          const known = statements.selectKey(record.key);
          if (known) return recordOf(known);
        }
        const { notification, ...rest } = payment;
        const { attempts: _, ...text } = notification;
        statements.insertPayment.run({ ...rest, ...text, due_at: dueAt(payment, leaseMs) });
        putAttempts(payment);
        if (record) statements.insertKey.run(rowOf(record));
        return undefined;
      }),

    async update(payment, answer) {
      const { payment_id, phone, expires_at, retries, reopened, fence } = payment;
      const { notification_service, notification_status, notification } = payment;
      const { reason, next_attempt_at } = notification;
      const isOurs = await write(() => {
        const { changes } = statements.updatePayment.run({
          payment_id,
          phone,
          expires_at,
          retries,
          reopened,
          fence,
          notification_service,
          notification_status,
          reason,
          next_attempt_at,
          due_at: dueAt(payment, leaseMs),
        });
        if (changes === 0) return false;
        putAttempts(payment);
        if (answer) statements.keepAnswer.run({ payment_id, ...answer });
        return true;
      });
      if (!isOurs) throw new LeaseLost(payment_id);
    },

    keepAnswer: (payment_id, answer) =>
      write(() => {
        const kept = statements.keepFirstAnswer.get({ payment_id, ...answer }) as KeyRow | undefined;
        return (kept && recordOf(kept).answer) ?? answer;
      }),

    find: (paymentId) => guard(async () => withAttempts(statements.selectPayments([paymentId]))[0]),

    list: (query) =>
      guard(async () => {
        if (
          query.starting_after !== undefined &&
          statements.selectPayments([query.starting_after]).length === 0
        )
          return undefined;
        const rows = selectPage(db, query);
        return { payments: withAttempts(rows.slice(0, query.limit)), has_more: rows.length > query.limit };
      }),

    backlog: () =>
      guard(async () => ({ size: statements.backlogSize(), oldest_at: statements.backlogOldest() })),

    putPhone: (customer_id, phone) =>
      write(() => {
        statements.putPhone.run({ customer_id, phone });
      }),

    findPhone: (customerId) =>
      guard(async () => (statements.findPhone.get(customerId) as { phone: string } | undefined)?.phone),

    forgetPhone: (customerId) => write(() => statements.forgetPhone.run(customerId).changes > 0),

    claimDue: (limit) =>
      write(() => {
        const now = Date.now();
        return withAttempts(statements.claimDue({ now, limit, leased_until: now + leaseMs }));
      }),

    async claim(payment) {
      const { payment_id, fence } = payment;
      const due_at = dueAt(payment, leaseMs);
      const leased_until = Date.now() + leaseMs;
      const [claimed] = await write(() =>
        withAttempts(statements.claim({ payment_id, fence, due_at, leased_until })),
      );
      if (!claimed) throw new LeaseLost(payment_id);
      return claimed;
    },

    forgetKeys: (before, limit) => write(() => Number(statements.forgetKeys.run({ before, limit }).changes)),

    async blank(before, limit) {
      const at = new Date(before).toISOString();
      const blanked = await write(() => Number(statements.blank.run({ before: at, limit }).changes));
      if (blanked > 0) logHasTraces = true;
      if (logHasTraces && blanked < limit && Date.now() - logEmptiedAt >= emptyLogEveryMs)
        await guard(async () => emptyLog());
      return blanked;
    },

    // Sets the schema's version to what it is: a write to disk that changes nothing.
    check: () => write(() => statements.touch()),

    async close() {
      await commits.drain();
      db.close();
    },
  };
}

function open(path: string) {
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    // What is blanked or forgotten is written over, and not only set free. Not FAST, which spares the pages that a long
    // text takes. Where a page was split, a copy may stay in its gap until a VACUUM: it holds up everything, and is the
    // operator's to run.
    db.exec('PRAGMA secure_delete = ON');
    migrate(db);
    const statements = prepareStatements(db);
    // The database is one process's own: whoever held a lease is gone.
    statements.endLeases.run({ now: Date.now() });
    return { db, statements };
  } catch (error) {
    db.close(); // it will be tried again, and again
    throw error;
  }
}

function rowOf({ answer, ...record }: IdempotencyRecord) {
  return {
    ...record,
    answer_status: answer?.status ?? null,
    answer_body: answer?.body ?? null,
    created_at: Date.now(),
  };
}

async function guard<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw new StoreUnavailable('the store does not answer', { cause });
  }
}
