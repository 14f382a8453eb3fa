import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { notificationStatusSchema, type Payment } from '../payment.ts';
import { type PaymentRow, preparePayments, preparePhone } from './sqlite-rows.ts';
import type { Backlog, PaymentPage, PaymentQuery } from './store.ts';

/**
 * Opens a database that there is for reading. It waits for nobody: who reads a write-ahead log has no need to, and the event
 * loop would wait with it.
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

/** What is read, each from one snapshot: the writer may commit between any two statements. */
export function prepareReads(db: DatabaseSync) {
  const begin = db.prepare('BEGIN');
  const end = db.prepare('COMMIT');
  const paymentsOf = preparePayments(db);
  const payment = db.prepare('SELECT * FROM payments WHERE payment_id = ?');
  const page = preparePage(db);
  // Both read no more of the index by status than what is pending.
  const backlogSize = db.prepare(
    "SELECT count(*) AS size FROM payments WHERE notification_status = 'pending'",
  );
  const backlogOldest = db.prepare(`
    SELECT created_at FROM payments WHERE notification_status = 'pending' ORDER BY payment_id LIMIT 1`);

  function snapshot<T>(read: () => T): T {
    begin.run();
    try {
      return read();
    } finally {
      end.run();
    }
  }

  const rowsOf = (payment_id: string) => payment.all(payment_id) as unknown as PaymentRow[];

  return {
    find: (payment_id: string): Payment | undefined => snapshot(() => paymentsOf(rowsOf(payment_id))[0]),

    /** Newest first; undefined if there is no payment `starting_after`. */
    list: (query: PaymentQuery): PaymentPage | undefined =>
      snapshot(() => {
        if (query.starting_after !== undefined && rowsOf(query.starting_after).length === 0) return undefined;
        const rows = page(query);
        return { payments: paymentsOf(rows.slice(0, query.limit)), has_more: rows.length > query.limit };
      }),

    backlog: (): Backlog =>
      snapshot(() => ({
        size: (backlogSize.get() as { size: number }).size,
        oldest_at: (backlogOldest.get() as { created_at: string } | undefined)?.created_at ?? null,
      })),

    findPhone: preparePhone(db),
  };
}

/** The rows of a page, and one more if there is one. */
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
      return `SELECT * FROM payments ${where && `WHERE ${where}`}`;
    });
    const statement = statements.getOrInsertComputed(selects.join(' UNION ALL '), (all) =>
      db.prepare(`${all} ORDER BY payment_id DESC LIMIT ?`),
    );
    return statement.all(...values, query.limit + 1) as unknown as PaymentRow[];
  };
}

/** The index by status and customer has all payments of a customer in as many pieces as there are statuses. */
const partsOf = (query: PaymentQuery): PaymentQuery[] =>
  query.customer_id !== undefined && query.notification_status === undefined
    ? notificationStatusSchema.options.map((notification_status) => ({ ...query, notification_status }))
    : [query];
