import type { Database } from 'service-kit/postgres/database.ts';
import { rowsOf } from 'service-kit/postgres/rows.ts';
import type { StoredAction } from '../../domain/actions.ts';
import { isPossibleDuplicate } from '../../domain/deliveries.ts';
import type { Delivery, Payment } from '../../domain/payment.ts';
import { learnedOptOut, suppressedReason } from '../../domain/suppression.ts';
import {
  attemptColumns,
  changingColumns,
  keyColumns,
  paymentColumns,
  suppressionColumns,
} from '../columns.ts';
import type { EventRecording } from '../events.ts';
import type { OwnerOf } from '../owner.ts';
import type { IdempotencyRecord, StoredAnswer } from '../store.ts';
import { recordingOf } from './event-recording.ts';
import { isSuppressed } from './suppression-statements.ts';

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

/** An update of a payment that was due at `was_due_at`, and was updated last at `was_updated_at`. */
export interface Amendment extends Due {
  payment: Payment;
  before: Payment;
  was_due_at: string | null;
  was_updated_at: string | null;
}

/** What became of a payment in a statement. */
interface Written extends Pick<Payment, 'payment_id'> {
  suppressed: boolean;
}

const newPayments = rowsOf({ ...paymentColumns, owner: 'text', lease_ms: 'integer' });
const newKeys = rowsOf(keyColumns, newPayments.count + 1);
const newAttempts = rowsOf(attemptColumns, newPayments.count + newKeys.count + 1);
const changes = { payment_id: 'text', fence: 'integer', ...changingColumns, lease_ms: 'integer' } as const;
const updates = rowsOf({ ...changes, answer_status: 'integer', answer_body: 'text' });
const updatedAttempts = rowsOf(attemptColumns, updates.count + 1);
const learned = rowsOf(suppressionColumns, updates.count + updatedAttempts.count + 1);
const amendments = rowsOf({ ...changes, was_due_at: 'timestamptz', was_updated_at: 'timestamptz' });
const amendedAttempts = rowsOf(attemptColumns, amendments.count + 1);
const learnedByAmendment = rowsOf(suppressionColumns, amendments.count + amendedAttempts.count + 1);

/** A lease is by the database's clock, so that one of a replica whose clock is behind does not expire at once. */
const dueAt = "coalesce(given.due_at, now() + given.lease_ms * interval '1 ms')";

const paymentColumnNames = Object.keys(paymentColumns).join(', ');
const unlessSuppressed = (value: string, otherwise = 'NULL') =>
  `CASE WHEN suppressed THEN ${otherwise} ELSE ${value} END`;
const computed: Record<string, string> = {
  phone: 'recipient',
  notification_status: unlessSuppressed('given.notification_status', "'failed'"),
  reason: unlessSuppressed('given.reason', `'${suppressedReason}'`),
  next_attempt_at: unlessSuppressed('given.next_attempt_at'),
  due_at: unlessSuppressed(dueAt),
};
const keyValues: Record<string, string> = {
  answer_status: `CASE WHEN payment_id IN (SELECT payment_id FROM suppressed) THEN NULL ELSE answer_status END`,
  answer_body: `CASE WHEN payment_id IN (SELECT payment_id FROM suppressed) THEN NULL ELSE answer_body END`,
};
const newPaymentValues = Object.keys(paymentColumns)
  .map((name) => computed[name] ?? `given.${name}`)
  .join(', ');
const keyColumnNames = newKeys.names.join(', ');
const attemptColumnNames = newAttempts.names.join(', ');

/**
 * A payment without a phone gets its customer's. Keys are inserted in their order, so that two replicas which insert the same
 * keys cannot deadlock.
 */
const insertText = (recorded: string) => `
  WITH addressed AS MATERIALIZED (
    SELECT given.*, recipient, ${isSuppressed('recipient')} AS suppressed
    FROM ${newPayments.sql} LEFT JOIN customers
      ON customers.customer_id = given.customer_id AND customers.client = given.owner AND customers.customer_id = ANY (${newPayments.parameter('customer_id')})
    CROSS JOIN LATERAL (SELECT coalesce(given.phone, customers.phone) AS recipient) AS phones
  ), suppressed AS (
    SELECT payment_id FROM addressed WHERE suppressed
  ), new_keys AS (
    INSERT INTO idempotency_keys (${keyColumnNames})
    SELECT ${newKeys.names.map((name) => keyValues[name] ?? name).join(', ')} FROM ${newKeys.sql} ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING payment_id
  ), refused AS (
    SELECT payment_id FROM ${newKeys.sql} EXCEPT SELECT payment_id FROM new_keys
  ), new_payments AS (
    INSERT INTO payments (${paymentColumnNames})
    SELECT ${newPaymentValues} FROM addressed AS given
    WHERE payment_id NOT IN (SELECT payment_id FROM refused)
    RETURNING payment_id, phone
  ), new_attempts AS (
    INSERT INTO attempts (${attemptColumnNames})
    SELECT ${attemptColumnNames} FROM ${newAttempts.sql}
    WHERE payment_id NOT IN (SELECT payment_id FROM refused) AND payment_id NOT IN (SELECT payment_id FROM suppressed)
  )${recorded}
  SELECT payment_id, phone, payment_id IN (SELECT payment_id FROM suppressed) AS suppressed FROM new_payments`;

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

/** Stores the opt-outs that the payments of the CTE `updated` have shown. */
const putOptOuts = ({ names, sql }: typeof learned) => `
    INSERT INTO suppressions (${names.join(', ')})
    SELECT ${names.join(', ')} FROM ${sql}
    WHERE payment_id IN (SELECT payment_id FROM updated) ORDER BY phone
    ON CONFLICT (phone) DO NOTHING`;

/** A payment that has a lease has begun an attempt: it is not updated if its phone is suppressed. */
const updateText = (recorded: string) => `
  WITH suppressed AS MATERIALIZED (
    SELECT payment_id FROM ${updates.sql} WHERE lease_ms IS NOT NULL AND ${isSuppressed('given.phone')}
  ), updated AS (
    UPDATE payments SET ${changedColumns}
    FROM ${updates.sql}
    WHERE payments.payment_id = ANY (${updates.parameter('payment_id')})
      AND payments.payment_id = given.payment_id AND payments.fence = given.fence
      AND given.payment_id NOT IN (SELECT payment_id FROM suppressed)
    RETURNING payments.payment_id, given.answer_status, given.answer_body
  ), put_attempts AS (${putAttempts(updatedAttempts.sql)}
  ), kept AS (
    UPDATE idempotency_keys SET answer_status = updated.answer_status, answer_body = updated.answer_body
    FROM updated
    WHERE idempotency_keys.payment_id = ANY (${updates.parameter('payment_id')})
      AND idempotency_keys.payment_id = updated.payment_id AND updated.answer_status IS NOT NULL
      AND idempotency_keys.answer_status IS NULL
  ), opted_out AS (${putOptOuts(learned)}
  )${recorded}
  SELECT payment_id, false AS suppressed FROM updated UNION ALL SELECT payment_id, true FROM suppressed`;

const amendText = (recorded: string) => `
  WITH updated AS (
    UPDATE payments SET ${changedColumns}, fence = payments.fence + 1
    FROM ${amendments.sql}
    WHERE payments.payment_id = ANY (${amendments.parameter('payment_id')})
      AND payments.payment_id = given.payment_id AND payments.fence = given.fence
      AND payments.due_at IS NOT DISTINCT FROM given.was_due_at
      AND payments.updated_at IS NOT DISTINCT FROM given.was_updated_at
    RETURNING payments.payment_id
  ), put_attempts AS (${putAttempts(amendedAttempts.sql)}
  ), opted_out AS (${putOptOuts(learnedByAmendment)}
  )${recorded}
  SELECT payment_id FROM updated`;

/** With the columns that are computed, and with its metadata and actions as JSON. */
const rowOf = (payment: Payment) => ({
  ...payment,
  metadata: payment.metadata && JSON.stringify(payment.metadata),
  possible_duplicate: isPossibleDuplicate(payment.attempts),
  actions: jsonOf(payment.actions),
});

/** The rows of the attempts that differ from `before`: earlier ones are not written again. */
const attemptRows = ({ payment_id, attempts }: Payment, before?: Payment) =>
  attempts.flatMap((attempt, index) =>
    attempt === before?.attempts[index]
      ? []
      : [{ payment_id, number: index + 1, ...attempt, deliveries: jsonOf(attempt.deliveries) }],
  );

const optOutsOf = (given: Pick<Update, 'payment' | 'before'>[]) =>
  given.flatMap(({ payment, before }) => learnedOptOut(payment, before) ?? []);

/** Null if there are none, so that they mostly take no space. */
const jsonOf = (list: Delivery[] | StoredAction[]) => (list.length > 0 ? JSON.stringify(list) : null);

const countOf = (...rows: { count: number }[]) => rows.reduce((sum, { count }) => sum + count, 0);
const newWritten = 'SELECT payment_id, payment_id IN (SELECT payment_id FROM suppressed) FROM new_payments';
const updateWritten = 'SELECT payment_id, false FROM updated';

/** The two statements that a payment costs, and the one of its receipt; each takes many payments, and records their events. */
export function prepareWrites(database: Database, recording: EventRecording, ownerOf: OwnerOf) {
  const recordingFrom = (written: string, ...before: { count: number }[]) =>
    recordingOf(recording, countOf(...before) + 1, written);
  const newEvents = recordingFrom(newWritten, newPayments, newKeys, newAttempts);
  const events = recordingFrom(updateWritten, updates, updatedAttempts, learned);
  const amendedEvents = recordingFrom(updateWritten, amendments, amendedAttempts, learnedByAmendment);
  const texts = {
    insert: insertText(newEvents.sql),
    update: updateText(events.sql),
    amend: amendText(amendedEvents.sql),
  };

  return {
    /** Returns the payments that were inserted because their key was not known, each with its phone and whether it is suppressed. */
    async insert(inserts: Insert[]): Promise<(Pick<Payment, 'payment_id' | 'phone'> & Written)[]> {
      const now = new Date().toISOString();
      const payments = inserts.map(({ payment, due_at, lease_ms }) => ({
        ...rowOf(payment),
        ...{ owner: ownerOf(payment.client), due_at, lease_ms },
      }));
      const keys = inserts.flatMap(({ payment: { payment_id }, record }) => {
        if (!record) return [];
        const { key, fingerprint, answer } = record;
        const { status: answer_status = null, body: answer_body = null } = answer ?? {};
        return [{ key, fingerprint, payment_id, answer_status, answer_body, created_at: now }];
      });
      return database.query({
        name: 'insert',
        text: texts.insert,
        values: [
          ...newPayments.values(payments),
          ...newKeys.values(keys),
          ...newAttempts.values(inserts.flatMap(({ payment }) => attemptRows(payment))),
          ...newEvents.ofNew(inserts),
        ],
      });
    },

    /** Returns the payments that were updated because their fencing token was the payment's, and the `suppressed` ones that were not. */
    async update(given: Update[]): Promise<Written[]> {
      const rows = given.map(({ payment, due_at, lease_ms, answer }) => ({
        ...rowOf(payment),
        due_at,
        lease_ms,
        answer_status: answer?.status ?? null,
        answer_body: answer?.body ?? null,
      }));
      return database.query({
        name: 'update',
        text: texts.update,
        values: [
          ...updates.values(rows),
          ...updatedAttempts.values(given.flatMap(({ payment, before }) => attemptRows(payment, before))),
          ...learned.values(optOutsOf(given)),
          ...events.ofChanged(given),
        ],
      });
    },

    /** Returns the ids of the payments that were amended because they were as `before`. */
    async amend(given: Amendment[]): Promise<string[]> {
      const amended = await database.query<Pick<Payment, 'payment_id'>>({
        name: 'amend',
        text: texts.amend,
        values: [
          ...amendments.values(
            given.map(({ payment, due_at, lease_ms, was_due_at, was_updated_at }) => ({
              ...rowOf(payment),
              ...{ due_at, lease_ms, was_due_at, was_updated_at },
            })),
          ),
          ...amendedAttempts.values(given.flatMap(({ payment, before }) => attemptRows(payment, before))),
          ...learnedByAmendment.values(optOutsOf(given)),
          ...amendedEvents.ofChanged(given),
        ],
      });
      return amended.map(({ payment_id }) => payment_id);
    },
  };
}
