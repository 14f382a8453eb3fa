import type { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../../domain/payment.ts';
import { type KeyRow, recordOf } from '../key-row.ts';
import type { IdempotencyRecord, Inserted, KeptAnswer } from '../store.ts';
import { type PaymentRow, paymentsOf, preparePhone } from './rows.ts';
import { changingNames, paymentNames, type Values } from './values.ts';

/**
 * What is written, each within the caller's transaction. Arguments and results can be cloned, as they come from another
 * thread and go there. Times are ms since the epoch, and the caller's: here nobody looks at the clock.
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
    RETURNING *`);
  const claim = db.prepare(`
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id = :payment_id AND fence = :fence AND due_at IS :due_at
    RETURNING *`);

  const selectKey = db.prepare('SELECT * FROM idempotency_keys WHERE key = ?');
  const insertKey = db.prepare(`
    INSERT INTO idempotency_keys (key, fingerprint, payment_id, answer_status, answer_body, created_at)
    VALUES (?, ?, ?, ?, ?, ?)`);
  const putAnswer = db.prepare(`
    UPDATE idempotency_keys SET answer_status = :status, answer_body = :body WHERE payment_id = :payment_id`);
  const keepFirstAnswer = db.prepare(`
    UPDATE idempotency_keys
    SET answer_status = coalesce(answer_status, :status), answer_body = coalesce(answer_body, :body)
    WHERE payment_id = :payment_id
    RETURNING *`);
  const forgetKeys = db.prepare(`
    DELETE FROM idempotency_keys
    WHERE key IN (SELECT key FROM idempotency_keys WHERE created_at < :before ORDER BY created_at LIMIT :limit)`);

  // Not what somebody has in hand: it has a due time. Whoever has read it before is told by the fence.
  const blank = db.prepare(`
    UPDATE payments SET message = '', phone = NULL, fence = fence + 1
    WHERE payment_id IN (
      SELECT payment_id FROM payments
      WHERE message <> '' AND created_at < :before AND notification_status <> 'pending' AND due_at IS NULL
      ORDER BY created_at LIMIT :limit
    )`);

  const putPhone = db.prepare(`
    INSERT INTO customers (customer_id, phone) VALUES (:customer_id, :phone)
    ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone`);
  const forgetPhone = db.prepare('DELETE FROM customers WHERE customer_id = ?');

  return {
    /** Inserts the payment unless there is a record of the key. */
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

    /** False if the fence is another one: then nothing was written. */
    update(changed: Values, answer: (KeptAnswer & Pick<Payment, 'payment_id'>) | undefined): boolean {
      if (updatePayment.run(...changed).changes === 0) return false;
      if (answer) putAnswer.run({ ...answer });
      return true;
    },

    keepAnswer(payment_id: string, answer: KeptAnswer): KeptAnswer {
      const kept = keepFirstAnswer.get({ payment_id, ...answer }) as KeyRow | undefined;
      return (kept && recordOf(kept).answer) ?? answer;
    },

    putPhone: (customer_id: string, phone: string) => void putPhone.run({ customer_id, phone }),
    forgetPhone: (customer_id: string): boolean => forgetPhone.run(customer_id).changes > 0,

    endLeases: (now: number) => void endLeases.run({ now }),
    claimDue: (now: number, limit: number, leased_until: number): Payment[] =>
      paymentsOf(claimDue.all({ now, limit, leased_until }) as unknown as PaymentRow[]),
    /** Undefined if it was claimed by somebody else. */
    claim: (
      { payment_id, fence }: Payment,
      due_at: number | null,
      leased_until: number,
    ): Payment | undefined =>
      paymentsOf(claim.all({ payment_id, fence, due_at, leased_until }) as unknown as PaymentRow[])[0],

    forgetKeys: (before: number, limit: number) => Number(forgetKeys.run({ before, limit }).changes),
    blank: (before: number, limit: number) =>
      Number(blank.run({ before: new Date(before).toISOString(), limit }).changes),

    /** Sets the schema's version to what it is: a write to disk that changes nothing. */
    touch: () => db.exec(`PRAGMA user_version = ${user_version}`),
  };
}

const marks = (columns: string[]) => columns.map(() => '?').join(', ');

export type Writes = ReturnType<typeof prepareWrites>;

/** One of them, as a value: it is carried out by `writes[name](...args)`. */
export type Write = {
  [Name in keyof Writes]: { name: Name; args: Parameters<Writes[Name]> };
}[keyof Writes];
