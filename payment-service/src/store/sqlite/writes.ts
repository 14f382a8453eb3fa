import type { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../../domain/payment.ts';
import { type KeyRow, recordOf } from '../key-row.ts';
import type { IdempotencyRecord, Inserted, StoredAnswer } from '../store.ts';
import {
  changingNames,
  type PaymentRow,
  paymentNames,
  paymentOf,
  preparePhone,
  selectedNames,
  type Values,
} from './rows.ts';

/**
 * The writes, each within the caller's transaction. Arguments and results can be cloned, because they come from another thread
 * and go back to it. Times are ms since the epoch and arguments, so that the clock is read in one place.
 */
export function prepareWrites(db: DatabaseSync) {
  const findPhone = preparePhone(db);
  const { user_version } = db.prepare('PRAGMA user_version').get() as { user_version: number };

  const insertPayment = db.prepare(
    `INSERT INTO payments (${paymentNames.join(', ')}) VALUES (${marks(paymentNames)})`,
  );
  const customerAt = paymentNames.indexOf('customer_id');
  const phoneAt = paymentNames.indexOf('phone');
  const updatePayment = db.prepare(
    `UPDATE payments SET (${changingNames.join(', ')}) = (${marks(changingNames)}) WHERE payment_id = ? AND fence = ?`,
  );

  const endLeases = db.prepare(`
    UPDATE payments SET due_at = :now
    WHERE due_at > :now AND EXISTS (
      SELECT 1 FROM attempts WHERE attempts.payment_id = payments.payment_id AND outcome IS NULL
    )`);
  const claimDue = db.prepare(`
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id IN (
      SELECT payment_id FROM payments WHERE due_at <= :now ORDER BY due_at LIMIT :limit
    )
    RETURNING ${selectedNames}`);
  const claim = db.prepare(`
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id = :payment_id AND fence = :fence AND due_at IS :due_at
    RETURNING ${selectedNames}`);

  const selectKey = db.prepare('SELECT * FROM idempotency_keys WHERE key = ?');
  const insertKey = db.prepare(`
    INSERT INTO idempotency_keys (key, fingerprint, payment_id, answer_status, answer_body, created_at)
    VALUES (?, ?, ?, ?, ?, ?)`);
  const putAnswer = db.prepare(`
    UPDATE idempotency_keys SET answer_status = :status, answer_body = :body WHERE payment_id = :payment_id`);
  const storeFirstAnswer = db.prepare(`
    UPDATE idempotency_keys
    SET answer_status = coalesce(answer_status, :status), answer_body = coalesce(answer_body, :body)
    WHERE payment_id = :payment_id
    RETURNING *`);
  const deleteKeys = db.prepare(`
    DELETE FROM idempotency_keys
    WHERE key IN (SELECT key FROM idempotency_keys WHERE created_at < :before ORDER BY created_at LIMIT :limit)`);

  // Skips leased payments (`due_at` is set). Raising the fencing token rejects writers that hold an older copy.
  const redact = db.prepare(`
    UPDATE payments SET message = '', phone = NULL, fence = fence + 1
    WHERE payment_id IN (
      SELECT payment_id FROM payments
      WHERE message <> '' AND created_at < :before AND notification_status <> 'pending' AND due_at IS NULL
      ORDER BY created_at LIMIT :limit
    )`);

  const putPhone = db.prepare(`
    INSERT INTO customers (customer_id, phone) VALUES (:customer_id, :phone)
    ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone`);
  const deletePhone = db.prepare('DELETE FROM customers WHERE customer_id = ?');

  return {
    /** Inserts the payment unless the key is known. */
    insert(payment: Values, record: IdempotencyRecord | undefined, created_at: number): Inserted {
      if (record) {
        const known = selectKey.get(record.key) as KeyRow | undefined;
        if (known) return { known: recordOf(known) };
      }
      const phone = (payment[phoneAt] as string | null) ?? findPhone(payment[customerAt] as string) ?? null;
      insertPayment.run(...payment.with(phoneAt, phone));
      if (record) {
        const { key, fingerprint, payment_id, answer } = record;
        insertKey.run(key, fingerprint, payment_id, answer?.status ?? null, answer?.body ?? null, created_at);
      }
      return { phone };
    },

    /** Returns false, and writes nothing, if the fencing token is another one. */
    update(changed: Values, answer: (StoredAnswer & Pick<Payment, 'payment_id'>) | undefined): boolean {
      if (updatePayment.run(...changed).changes === 0) return false;
      if (answer) putAnswer.run({ ...answer });
      return true;
    },

    storeAnswer(payment_id: string, answer: StoredAnswer): StoredAnswer {
      const kept = storeFirstAnswer.get({ payment_id, ...answer }) as KeyRow | undefined;
      return (kept && recordOf(kept).answer) ?? answer;
    },

    putPhone: (customer_id: string, phone: string) => void putPhone.run({ customer_id, phone }),
    deletePhone: (customer_id: string): boolean => deletePhone.run(customer_id).changes > 0,

    endLeases: (now: number) => void endLeases.run({ now }),
    claimDue: (now: number, limit: number, leased_until: number): Payment[] =>
      (claimDue.all({ now, limit, leased_until }) as unknown as PaymentRow[]).map(paymentOf),
    /** Returns undefined if another worker has claimed it. */
    claim({ payment_id, fence }: Payment, due_at: number | null, leased_until: number): Payment | undefined {
      const row = claim.get({ payment_id, fence, due_at, leased_until }) as PaymentRow | undefined;
      return row && paymentOf(row);
    },

    deleteKeys: (before: number, limit: number) => Number(deleteKeys.run({ before, limit }).changes),
    redact: (before: number, limit: number) =>
      Number(redact.run({ before: new Date(before).toISOString(), limit }).changes),

    /** A write to disk that changes nothing: sets the schema's version to its present value. */
    touch: () => db.exec(`PRAGMA user_version = ${user_version}`),
  };
}

const marks = (columns: string[]) => columns.map(() => '?').join(', ');

export type Writes = ReturnType<typeof prepareWrites>;

/** One of the writes as a value, carried out by `writes[name](...args)`. */
export type Write = {
  [Name in keyof Writes]: { name: Name; args: Parameters<Writes[Name]> };
}[keyof Writes];
