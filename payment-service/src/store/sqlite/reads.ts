import { DatabaseSync } from 'node:sqlite';
import type { Lasting } from '../payment-filters.ts';
import type { Backlog } from '../store.ts';
import { countsOf, type HeldRow, type StoredPayments, sortRows } from '../stored-payments.ts';
import { prepareControlReads } from './control-statements.ts';
import { prepareErasureReads } from './erasure.ts';
import { prepareEventReads } from './event-statements.ts';
import { prepareHistoryReads } from './history-statements.ts';
import { prepareKeyLookup } from './key-writes.ts';
import { preparePages } from './page.ts';
import { type PaymentRow, paymentOf, preparePhone, prepareRows, selectedNames } from './rows.ts';
import { prepareStatisticsReads } from './statistics-statements.ts';
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
  const lasting = db.prepare(
    'SELECT client, customer_id, reference, created_at FROM payments WHERE payment_id = ?',
  );
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
    lasting: (payment_id: string) => lasting.get(payment_id) as Lasting | undefined,
    ...preparePages(db),

    backlog: () => ({ ...backlog.get() }) as unknown as Backlog,
    countHeld: () => countsOf(held.all() as unknown as HeldRow[]),

    findKey: prepareKeyLookup(db),
    findPhone: preparePhone(db),
    ...prepareSuppressionReads(db),
    ...prepareEventReads(db),
    ...prepareErasureReads(db),
    ...prepareControlReads(db),
    ...prepareHistoryReads(db),
    ...prepareStatisticsReads(db),
  };
}
