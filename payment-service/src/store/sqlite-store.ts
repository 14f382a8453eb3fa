import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Attempt, Payment } from '../payment.ts';
import { createGroupCommit } from './group-commit.ts';
import { migrations } from './sqlite-migrations.ts';
import { type PaymentQuery, type Store, StoreUnavailable } from './store.ts';

type PaymentRow = Omit<Payment, 'notification'> & { message: string; next_attempt_at: string | null };
type AttemptRow = Attempt & { payment_id: string; number: number };

/** How long a write waits for another process that holds the database, such as a backup. The event loop waits too. */
const busyTimeoutMs = 250;

/** Opens the database at the path, makes it if it is not there, and brings its schema up to date. */
export function openSqliteStore(path: string): Store {
  mkdirSync(dirname(path), { recursive: true });
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  migrate(db);
  const commits = createGroupCommit(db);

  const insertPayment = db.prepare(`
    INSERT INTO payments (payment_id, amount_minor, currency, customer_id, phone, message, notification_service,
                          notification_status, next_attempt_at, created_at)
    VALUES (:payment_id, :amount_minor, :currency, :customer_id, :phone, :message, :notification_service,
            :notification_status, :next_attempt_at, :created_at)`);
  const updateNotification = db.prepare(`
    UPDATE payments SET notification_service = :notification_service, notification_status = :notification_status,
                        next_attempt_at = :next_attempt_at
    WHERE payment_id = :payment_id`);
  const putAttempt = db.prepare(`
    INSERT INTO attempts (payment_id, number, provider, outcome, reason, message_id, started_at, duration_ms)
    VALUES (:payment_id, :number, :provider, :outcome, :reason, :message_id, :started_at, :duration_ms)
    ON CONFLICT (payment_id, number) DO UPDATE
      SET outcome = excluded.outcome, reason = excluded.reason, message_id = excluded.message_id,
          duration_ms = excluded.duration_ms`);
  const selectPayment = db.prepare('SELECT * FROM payments WHERE payment_id = ?');
  const selectAttempts = db.prepare(`
    SELECT * FROM attempts WHERE payment_id IN (SELECT value FROM json_each(?)) ORDER BY payment_id, number`);

  const write = (statements: () => void) => guardAsync(() => commits.write(statements));

  function putAttempts({ payment_id, notification }: Payment): void {
    notification.attempts.forEach((attempt, index) => {
      putAttempt.run({ payment_id, number: index + 1, ...attempt });
    });
  }

  function withAttempts(rows: PaymentRow[]): Payment[] {
    const attempts = selectAttempts.all(JSON.stringify(rows.map(({ payment_id }) => payment_id)));
    const byPayment = Map.groupBy(attempts as unknown as AttemptRow[], ({ payment_id }) => payment_id);
    return rows.map(({ message, next_attempt_at, ...payment }) => ({
      ...payment,
      notification: {
        message,
        attempts: (byPayment.get(payment.payment_id) ?? []).map(
          ({ payment_id: _payment, number: _number, ...attempt }) => attempt,
        ),
        next_attempt_at,
      },
    }));
  }

  return {
    insert: ({ notification, ...payment }) =>
      write(() => {
        const { message, next_attempt_at } = notification;
        insertPayment.run({ ...payment, message, next_attempt_at });
        putAttempts({ ...payment, notification });
      }),

    update: (payment) =>
      write(() => {
        const { payment_id, notification_service, notification_status, notification } = payment;
        const { next_attempt_at } = notification;
        updateNotification.run({ payment_id, notification_service, notification_status, next_attempt_at });
        putAttempts(payment);
      }),

    find: (paymentId) =>
      guardAsync(async () => {
        const row = selectPayment.get(paymentId);
        return row && withAttempts([row as unknown as PaymentRow])[0];
      }),

    list: (query) =>
      guardAsync(async () => {
        if (query.starting_after !== undefined && !selectPayment.get(query.starting_after)) return undefined;
        const { sql, values } = selectPage(query);
        const rows = db.prepare(sql).all(...values) as unknown as PaymentRow[];
        return { payments: withAttempts(rows.slice(0, query.limit)), has_more: rows.length > query.limit };
      }),

    // Sets the schema's version to what it is: a write to disk that changes nothing.
    check: () => write(() => db.exec(`PRAGMA user_version = ${migrations.length}`)),

    async close() {
      await commits.drain();
      db.close();
    },
  };
}

function selectPage({ limit, starting_after, customer_id, notification_status }: PaymentQuery) {
  const conditions: [condition: string, value: SQLInputValue | undefined][] = [
    ['customer_id = ?', customer_id],
    // With a customer, the + keeps SQLite from reading all that has this status in search of the customer's.
    [`${customer_id === undefined ? '' : '+'}notification_status = ?`, notification_status],
    ['payment_id < ?', starting_after],
  ];
  const given = conditions.filter(
    (condition): condition is [string, SQLInputValue] => condition[1] !== undefined,
  );
  const where = given.length > 0 ? `WHERE ${given.map(([condition]) => condition).join(' AND ')}` : '';
  return {
    sql: `SELECT * FROM payments ${where} ORDER BY payment_id DESC LIMIT ?`,
    values: [...given.map(([, value]) => value), limit + 1],
  };
}

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) {
      throw new Error(`The database has schema version ${version}; this release knows ${migrations.length}.`);
    }
    for (const migration of migrations.slice(version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

async function guardAsync<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw new StoreUnavailable('the store does not answer', { cause });
  }
}
