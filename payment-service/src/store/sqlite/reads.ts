import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { notificationStatusSchema } from '../../domain/payment.ts';
import type { Backlog, PaymentQuery } from '../store.ts';
import { countsOf, type HeldRow, type StoredPayments, sortRows } from '../stored-payments.ts';
import { prepareEventReads } from './event-statements.ts';
import { prepareKeyLookup } from './key-writes.ts';
import { type PaymentRow, paymentOf, preparePhone, prepareRows, selectedNames } from './rows.ts';
import { prepareSuppressionReads } from './suppression-statements.ts';

/**
 * Opens an existing database for reading. It has no busy timeout: a reader of a write-ahead log never waits for the writer,
 * and the event loop would wait with it.
 */
export function openReader(path: string) {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return { ...prepareReads(db), close: () => db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The reads. Each result comes from one statement, so that it is consistent whatever the writer commits meanwhile. */
export function prepareReads(db: DatabaseSync) {
  const payment = prepareRows(db, `SELECT ${selectedNames} FROM payments WHERE payment_id = ?`);
  const exists = db.prepare('SELECT 1 FROM payments WHERE payment_id = ?');
  // Reads only the pending part of the index by status.
  const backlog = db.prepare(`
    SELECT count(*) AS size, (
      SELECT created_at FROM payments
      WHERE notification_status = 'pending' AND created_at GLOB '????-??-??T??:??:??.???Z'
        AND julianday(created_at) IS NOT NULL -- ignores a time that cannot be read
      ORDER BY payment_id LIMIT 1
    ) AS oldest_at
    FROM payments WHERE notification_status = 'pending'`);
  const held = db.prepare(`
    SELECT reason, count(*) AS size FROM payments INDEXED BY payments_held
    WHERE notification_status = 'held' AND reason IS NOT NULL GROUP BY reason`);

  return {
    find: (payment_id: string): StoredPayments =>
      sortRows(payment.all(payment_id) as PaymentRow[], paymentOf),
    has: (payment_id: string): boolean => exists.get(payment_id) !== undefined,
    page: preparePage(db),

    backlog: () => ({ ...backlog.get() }) as unknown as Backlog,
    countHeld: () => countsOf(held.all() as unknown as HeldRow[]),

    findKey: prepareKeyLookup(db),
    findPhone: preparePhone(db),
    ...prepareSuppressionReads(db),
    ...prepareEventReads(db),
  };
}

/** Returns up to `limit` rows, newest first. */
export function preparePage(db: DatabaseSync): (query: PaymentQuery) => PaymentRow[] {
  const statements = new Map<string, StatementSync>();
  return (query) => {
    const values: SQLInputValue[] = [];
    const selects = partsOf(query).map(({ starting_after, customer_id, notification_status }) => {
      const conditions: [condition: string, value: SQLInputValue | undefined][] = [
        ['customer_id = ?', customer_id],
        ['notification_status = ?', notification_status?.[0]],
        ['payment_id < ?', starting_after],
      ];
      const given = conditions.filter((pair): pair is [string, SQLInputValue] => pair[1] !== undefined);
      values.push(...given.map(([, value]) => value));
      const where = given.map(([condition]) => condition).join(' AND ');
      return `SELECT ${selectedNames} FROM payments ${where && `WHERE ${where}`}`;
    });
    const statement = statements.getOrInsertComputed(selects.join(' UNION ALL '), (all) =>
      prepareRows(db, `${all} ORDER BY payment_id DESC LIMIT ?`),
    );
    return statement.all(...values, query.limit) as PaymentRow[];
  };
}

/** A customer's payments are read status by status, since the index is by status and customer. */
const partsOf = (query: PaymentQuery): PaymentQuery[] =>
  query.customer_id !== undefined || query.notification_status !== undefined
    ? (query.notification_status ?? notificationStatusSchema.options).map((status) => ({
        ...query,
        notification_status: [status],
      }))
    : [query];
