import type { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../../domain/payment.ts';
import type { Suppression } from '../../domain/suppression.ts';
import { type OwnerOf, ownerOfRow, ownersWhere } from '../owner.ts';
import type { Customer, StoredAnswer } from '../store.ts';
import { prepareAllowanceWrites } from './allowance-writes.ts';
import { prepareClaims } from './claims.ts';
import { prepareControlWrites } from './control-statements.ts';
import { prepareErasureWrites } from './erasure.ts';
import type { EventRows } from './event-rows.ts';
import { prepareEventWrites, prepareRecordEvents } from './event-statements.ts';
import { prepareHistoryWrites } from './history-statements.ts';
import { prepareKeyWrites } from './key-writes.ts';
import { prepareInsert } from './payment-insert.ts';
import { changingNames, type Values } from './rows.ts';
import { prepareStatisticsWrites } from './statistics-statements.ts';
import { prepareIsSuppressed, prepareSuppressionWrites } from './suppression-statements.ts';
import { prepareSettlements } from './webhook-settlements.ts';

/**
 * The writes, each within the caller's transaction. Arguments and results can be cloned, because they come from another thread
 * and go back to it. Times are ms since the epoch and arguments, so that the clock is read in one place.
 */
export function prepareWrites(
  db: DatabaseSync,
  rowsOfEvents: EventRows = () => [],
  ownerOf: OwnerOf = ownersWhere(false),
) {
  const keys = prepareKeyWrites(db);
  const isSuppressed = prepareIsSuppressed(db);
  const suppressions = prepareSuppressionWrites(db);
  const recordEvents = prepareRecordEvents(db);
  const { user_version } = db.prepare('PRAGMA user_version').get() as { user_version: number };

  const updatePayment = db.prepare(
    `UPDATE payments SET (${changingNames.join(', ')}) = (${marks(changingNames)}) WHERE payment_id = ? AND fence = ?`,
  );

  const amendPayment = db.prepare(
    `UPDATE payments SET (${changingNames.join(', ')}, fence) = (${marks(changingNames)}, fence + 1)
     WHERE payment_id = ? AND fence = ? AND due_at IS ? AND updated_at IS ?`,
  );

  // Skips leased payments (`due_at` is set). Raising the fencing token rejects writers that hold an older copy.
  const redact = db.prepare(`
    UPDATE payments SET message = '', phone = NULL, fence = fence + 1, attempts = (
      SELECT json_group_array(json_remove(value, '$.phone_last4')) FROM json_each(payments.attempts)
    )
    WHERE payment_id IN (
      SELECT payment_id FROM payments
      WHERE message <> '' AND created_at < :before AND due_at IS NULL
        AND notification_status NOT IN ('pending', 'held')
      ORDER BY created_at LIMIT :limit
    )`);

  const putPhone = db.prepare(`
    INSERT INTO customers (client, customer_id, phone) VALUES (:owner, :customer_id, :phone)
    ON CONFLICT (customer_id, client) DO UPDATE SET phone = excluded.phone`);
  const hasPhone = db.prepare('SELECT 1 FROM customers WHERE client = ? AND customer_id = ?');
  const deletePhone = db.prepare(
    `DELETE FROM customers WHERE ${ownerOfRow(ownerOf)} = ? AND customer_id = ?`,
  );

  return {
    insert: prepareInsert(db, { keys, isSuppressed, recordEvents }, rowsOfEvents, ownerOf),

    /**
     * Writes nothing if the fencing token is another one, or if an SMS to this recipient was begun and it is suppressed. `learned`
     * is an opt-out that has become known.
     */
    update(
      changed: Values,
      answer: (StoredAnswer & Pick<Payment, 'payment_id'>) | undefined,
      recipient: string | null = null,
      learned?: Suppression,
      events?: Values[],
    ): 'updated' | 'lease_lost' | 'suppressed' {
      if (recipient !== null && isSuppressed(recipient)) return 'suppressed';
      if (updatePayment.run(...changed).changes === 0) return 'lease_lost';
      if (answer) keys.setAnswer(answer.payment_id, answer);
      if (learned) suppressions.putSuppression(learned);
      recordEvents(events);
      return 'updated';
    },

    /**
     * Returns false, and writes nothing, if the fencing token is another one, or the payment is not due, or was not updated last, at
     * the given times: an attempt of a resend leaves the fencing token and the due time as they are.
     */
    amend(
      changed: Values,
      was: Pick<Payment, 'updated_at'> & { due_at: number | null },
      learned: Suppression | undefined,
      events?: Values[],
    ): boolean {
      if (amendPayment.run(...changed, was.due_at, was.updated_at).changes === 0) return false;
      if (learned) suppressions.putSuppression(learned);
      recordEvents(events);
      return true;
    },

    storeAnswer: keys.storeAnswer,
    deleteKeys: keys.deleteOld,
    ...prepareClaims(db, ownerOf),
    ...prepareAllowanceWrites(db),
    ...suppressions,
    ...prepareEventWrites(db),
    ...prepareSettlements(db),
    ...prepareErasureWrites(db),
    ...prepareControlWrites(db),
    ...prepareHistoryWrites(db),
    ...prepareStatisticsWrites(db),

    /** Returns whether the customer had no phone before. */
    putPhone: ({ client, customer_id }: Customer, phone: string): boolean => {
      const owner = ownerOf(client);
      const isNew = !hasPhone.get(owner, customer_id);
      putPhone.run({ owner, customer_id, phone });
      return isNew;
    },
    /** Where clients are not isolated, also what was stored while they were. */
    deletePhone: ({ client, customer_id }: Customer): boolean =>
      deletePhone.run(ownerOf(client), customer_id).changes > 0,

    redact: (before: number, limit: number) =>
      Number(redact.run({ before: new Date(before).toISOString(), limit }).changes),

    /** A write to disk that changes nothing: sets the schema's version to its present value. */
    touch: () => db.exec(`PRAGMA user_version = ${user_version}`),
  };
}

const marks = (columns: string[]) => columns.map(() => '?').join(', ');

export type Writes = ReturnType<typeof prepareWrites>;
export type PaymentWrites = Pick<Writes, 'insert' | 'update'>;

/** One of the writes as a value, carried out by `writes[name](...args)`. */
export type Write = {
  [Name in keyof Writes]: { name: Name; args: Parameters<Writes[Name]> };
}[keyof Writes];
