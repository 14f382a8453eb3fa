import type { DatabaseSync } from 'node:sqlite';
import type { OwnerOf } from '../owner.ts';
import type { IdempotencyRecord, Inserted } from '../store.ts';
import type { EventRows } from './event-rows.ts';
import type { prepareRecordEvents } from './event-statements.ts';
import type { prepareKeyWrites } from './key-writes.ts';
import { paymentNames, paymentOfValues, preparePhone, suppressValues, type Values } from './rows.ts';
import type { prepareIsSuppressed } from './suppression-statements.ts';

/** What an insert shares with the other writes. */
interface SharedStatements {
  keys: ReturnType<typeof prepareKeyWrites>;
  isSuppressed: ReturnType<typeof prepareIsSuppressed>;
  recordEvents: ReturnType<typeof prepareRecordEvents>;
}

/** The rows of events come with the payment, except those of a suppressed one, since that is found out here. */
export function prepareInsert(
  db: DatabaseSync,
  { keys, isSuppressed, recordEvents }: SharedStatements,
  rowsOfEvents: EventRows,
  ownerOf: OwnerOf,
) {
  const findPhone = preparePhone(db);
  const insertPayment = db.prepare(
    `INSERT INTO payments (${paymentNames.join(', ')}) VALUES (${paymentNames.map(() => '?').join(', ')})`,
  );
  const customerAt = paymentNames.indexOf('customer_id');
  const clientAt = paymentNames.indexOf('client');
  const phoneAt = paymentNames.indexOf('phone');

  function insertRow(
    row: Values,
    record: IdempotencyRecord | undefined,
    created_at: number,
    events: Values[] | undefined,
  ): void {
    insertPayment.run(...row);
    if (record) keys.insert(record, created_at);
    recordEvents(events);
  }

  /** Inserts the payment unless the key is known. */
  return (
    payment: Values,
    record: IdempotencyRecord | undefined,
    created_at: number,
    events?: Values[],
  ): Inserted => {
    const known = record && keys.find(record.key);
    if (known) return { known };
    const owner = ownerOf(payment[clientAt] as string | null);
    const phone =
      (payment[phoneAt] as string | null) ?? findPhone(owner, payment[customerAt] as string) ?? null;
    const row = payment.with(phoneAt, phone);
    if (phone === null || !isSuppressed(phone)) {
      insertRow(row, record, created_at, events);
      return { phone };
    }
    const failed = suppressValues(row);
    const suppressed = paymentOfValues(failed);
    const [itsEvents] = suppressed ? rowsOfEvents(suppressed, undefined) : [];
    insertRow(failed, record && { ...record, answer: null }, created_at, itsEvents);
    return { phone, suppressed: true };
  };
}
