import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { notificationStatusSchema, type Payment } from '../../domain/payment.ts';
import type { Backlog, PaymentPage, PaymentQuery } from '../store.ts';
import { type PaymentRow, paymentOf, preparePhone, selectedNames } from './rows.ts';

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
  const payment = db.prepare(`SELECT ${selectedNames} FROM payments WHERE payment_id = ?`);
  const page = preparePage(db);
  // Reads only the pending part of the index by status.
  const backlog = db.prepare(`
    SELECT count(*) AS size, (
      SELECT created_at FROM payments WHERE notification_status = 'pending' ORDER BY payment_id LIMIT 1
    ) AS oldest_at
    FROM payments WHERE notification_status = 'pending'`);

  const find = (payment_id: string): Payment | undefined => {
    const row = payment.get(payment_id) as PaymentRow | undefined;
    return row && paymentOf(row);
  };

  return {
    find,

    /** Newest first; undefined if there is no payment `starting_after`. */
    list(query: PaymentQuery): PaymentPage | undefined {
      if (query.starting_after !== undefined && !find(query.starting_after)) return undefined;
      const rows = page(query);
      return { payments: rows.slice(0, query.limit).map(paymentOf), has_more: rows.length > query.limit };
    },

    backlog: () => ({ ...backlog.get() }) as unknown as Backlog,

    findPhone: preparePhone(db),
  };
}

/** Returns the rows of a page, and the next one if there is one. */
export function preparePage(db: DatabaseSync): (query: PaymentQuery) => PaymentRow[] {
  const statements = new Map<string, StatementSync>();
  return (query) => {
    const values: SQLInputValue[] = [];
    const selects = partsOf(query).map(({ starting_after, customer_id, notification_status }) => {
      const conditions: [condition: string, value: SQLInputValue | undefined][] = [
        ['customer_id = ?', customer_id],
        ['notification_status = ?', notification_status],
        ['payment_id < ?', starting_after],
      ];
      const given = conditions.filter((pair): pair is [string, SQLInputValue] => pair[1] !== undefined);
      values.push(...given.map(([, value]) => value));
      const where = given.map(([condition]) => condition).join(' AND ');
      return `SELECT ${selectedNames} FROM payments ${where && `WHERE ${where}`}`;
    });
    const statement = statements.getOrInsertComputed(selects.join(' UNION ALL '), (all) =>
      db.prepare(`${all} ORDER BY payment_id DESC LIMIT ?`),
    );
    return statement.all(...values, query.limit + 1) as unknown as PaymentRow[];
  };
}

/** A customer's payments are read status by status, since the index is by status and customer. */
const partsOf = (query: PaymentQuery): PaymentQuery[] =>
  query.customer_id !== undefined && query.notification_status === undefined
    ? notificationStatusSchema.options.map((notification_status) => ({ ...query, notification_status }))
    : [query];
