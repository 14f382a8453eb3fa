import type { Database } from 'service-kit/postgres/database.ts';
import { rowsOf } from 'service-kit/postgres/rows.ts';
import type { Delivery, Payment } from '../../domain/payment.ts';
import { attemptColumns, changingColumns, keyColumns, paymentColumns } from '../columns.ts';
import type { IdempotencyRecord, StoredAnswer } from '../store.ts';

/** When the outbox claims a payment: at this time, or when its lease expires. Null if it never does. */
interface Due {
  due_at: string | null;
  lease_ms: number | null;
}

/** A payment with its due time, and the record of its key or the answer to store for it. */
export interface Insert extends Due {
  payment: Payment;
  record: IdempotencyRecord | undefined;
}
export interface Update extends Due {
  payment: Payment;
  answer: StoredAnswer | undefined;
  before: Payment | undefined;
}

/** An update of a payment that was due at `was_due_at`. */
export interface Amendment extends Due {
  payment: Payment;
  before: Payment;
  was_due_at: string | null;
}

const newPayments = rowsOf({ ...paymentColumns, lease_ms: 'integer' });
const newKeys = rowsOf(keyColumns, newPayments.count + 1);
const newAttempts = rowsOf(attemptColumns, newPayments.count + newKeys.count + 1);
const changes = { payment_id: 'text', fence: 'integer', ...changingColumns, lease_ms: 'integer' } as const;
const updates = rowsOf({ ...changes, answer_status: 'integer', answer_body: 'text' });
const updatedAttempts = rowsOf(attemptColumns, updates.count + 1);
const amendments = rowsOf({ ...changes, was_due_at: 'timestamptz' });
const amendedAttempts = rowsOf(attemptColumns, amendments.count + 1);

/** A lease is by the database's clock, so that one of a replica whose clock is behind does not expire at once. */
const dueAt = "coalesce(given.due_at, now() + given.lease_ms * interval '1 ms')";

const paymentColumnNames = Object.keys(paymentColumns).join(', ');
/** A payment without a phone gets its customer's. */
const computed: Record<string, string> = { phone: 'coalesce(given.phone, customers.phone)', due_at: dueAt };
const newPaymentValues = Object.keys(paymentColumns)
  .map((name) => computed[name] ?? `given.${name}`)
  .join(', ');
const keyColumnNames = newKeys.names.join(', ');
const attemptColumnNames = newAttempts.names.join(', ');

/** Keys are inserted in their order, so that two replicas which insert the same keys cannot deadlock. */
const insertText = `
  WITH new_keys AS (
    INSERT INTO idempotency_keys (${keyColumnNames})
    SELECT ${keyColumnNames} FROM ${newKeys.sql} ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING payment_id
  ), refused AS (
    SELECT payment_id FROM ${newKeys.sql} EXCEPT SELECT payment_id FROM new_keys
  ), new_payments AS (
    INSERT INTO payments (${paymentColumnNames})
    SELECT ${newPaymentValues}
    FROM ${newPayments.sql} LEFT JOIN customers
      ON customers.customer_id = given.customer_id AND customers.customer_id = ANY (${newPayments.parameter('customer_id')})
    WHERE payment_id NOT IN (SELECT payment_id FROM refused)
    RETURNING payment_id, phone
  ), new_attempts AS (
    INSERT INTO attempts (${attemptColumnNames})
    SELECT ${attemptColumnNames} FROM ${newAttempts.sql} WHERE payment_id NOT IN (SELECT payment_id FROM refused)
  )
  SELECT payment_id, phone FROM new_payments`;

const changedColumns = Object.keys(changingColumns)
  .map((column) => `${column} = ${column === 'due_at' ? dueAt : `given.${column}`}`)
  .join(', ');
const settledColumns = [
  'outcome',
  'reason',
  'message_id',
  'duration_ms',
  'mode',
  'phone_last4',
  'deliveries',
];
const settled = (row: string) => settledColumns.map((column) => `${row}.${column}`).join(', ');

/** Puts the attempts of the payments of the CTE `updated`. */
const putAttempts = (attempts: string) => `
    INSERT INTO attempts (${attemptColumnNames})
    SELECT ${attemptColumnNames} FROM ${attempts} WHERE payment_id IN (SELECT payment_id FROM updated)
    ON CONFLICT (payment_id, number) DO UPDATE
      SET (${settledColumns.join(', ')}) = (${settled('excluded')})
      WHERE (${settled('attempts')}) IS DISTINCT FROM (${settled('excluded')})`;

const updateText = `
  WITH updated AS (
    UPDATE payments SET ${changedColumns}
    FROM ${updates.sql}
    WHERE payments.payment_id = ANY (${updates.parameter('payment_id')})
      AND payments.payment_id = given.payment_id AND payments.fence = given.fence
    RETURNING payments.payment_id, given.answer_status, given.answer_body
  ), put_attempts AS (${putAttempts(updatedAttempts.sql)}
  ), kept AS (
    UPDATE idempotency_keys SET answer_status = updated.answer_status, answer_body = updated.answer_body
    FROM updated
    WHERE idempotency_keys.payment_id = ANY (${updates.parameter('payment_id')})
      AND idempotency_keys.payment_id = updated.payment_id AND updated.answer_status IS NOT NULL
      AND idempotency_keys.answer_status IS NULL
  )
  SELECT payment_id FROM updated`;

const amendText = `
  WITH updated AS (
    UPDATE payments SET ${changedColumns}, fence = payments.fence + 1
    FROM ${amendments.sql}
    WHERE payments.payment_id = ANY (${amendments.parameter('payment_id')})
      AND payments.payment_id = given.payment_id AND payments.fence = given.fence
      AND payments.due_at IS NOT DISTINCT FROM given.was_due_at
    RETURNING payments.payment_id
  ), put_attempts AS (${putAttempts(amendedAttempts.sql)}
  )
  SELECT payment_id FROM updated`;

/** The rows of the attempts that differ from `before`: earlier ones are not written again. */
const attemptRows = ({ payment_id, attempts }: Payment, before?: Payment) =>
  attempts.flatMap((attempt, index) =>
    attempt === before?.attempts[index]
      ? []
      : [{ payment_id, number: index + 1, ...attempt, deliveries: jsonOf(attempt.deliveries) }],
  );

/** Null if there are none, so that most attempts take no space for them. */
const jsonOf = (deliveries: Delivery[]) => (deliveries.length > 0 ? JSON.stringify(deliveries) : null);

/** The two statements that a payment costs, and the one of its receipt; each takes many payments. */
export function prepareWrites(database: Database) {
  return {
    /** Returns the payments that were inserted because their key was not known, each with its phone. */
    async insert(inserts: Insert[]): Promise<Pick<Payment, 'payment_id' | 'phone'>[]> {
      const now = new Date().toISOString();
      const payments = inserts.map(({ payment, due_at, lease_ms }) => ({ ...payment, due_at, lease_ms }));
      const keys = inserts.flatMap(({ payment: { payment_id }, record }) => {
        if (!record) return [];
        const { key, fingerprint, answer } = record;
        const { status: answer_status = null, body: answer_body = null } = answer ?? {};
        return [{ key, fingerprint, payment_id, answer_status, answer_body, created_at: now }];
      });
      return database.query({
        name: 'insert',
        text: insertText,
        values: [
          ...newPayments.values(payments),
          ...newKeys.values(keys),
          ...newAttempts.values(inserts.flatMap(({ payment }) => attemptRows(payment))),
        ],
      });
    },

    /** Returns the ids of the payments that were updated because their fencing token was the payment's. */
    async update(given: Update[]): Promise<string[]> {
      const rows = given.map(({ payment, due_at, lease_ms, answer }) => ({
        ...payment,
        due_at,
        lease_ms,
        answer_status: answer?.status ?? null,
        answer_body: answer?.body ?? null,
      }));
      const updated = await database.query<Pick<Payment, 'payment_id'>>({
        name: 'update',
        text: updateText,
        values: [
          ...updates.values(rows),
          ...updatedAttempts.values(given.flatMap(({ payment, before }) => attemptRows(payment, before))),
        ],
      });
      return updated.map(({ payment_id }) => payment_id);
    },

    /** Returns the ids of the payments that were amended because they were as `before`. */
    async amend(given: Amendment[]): Promise<string[]> {
      const amended = await database.query<Pick<Payment, 'payment_id'>>({
        name: 'amend',
        text: amendText,
        values: [
          ...amendments.values(
            given.map(({ payment, due_at, lease_ms, was_due_at }) => ({
              ...payment,
              ...{ due_at, lease_ms, was_due_at },
            })),
          ),
          ...amendedAttempts.values(given.flatMap(({ payment, before }) => attemptRows(payment, before))),
        ],
      });
      return amended.map(({ payment_id }) => payment_id);
    },
  };
}
