import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { type Attempt, notificationStatusSchema, type Payment } from '../payment.ts';
import type { KeyRow } from './key-row.ts';
import type { PaymentQuery } from './store.ts';

export type PaymentRow = Omit<Payment, 'notification'> &
  Omit<Payment['notification'], 'attempts' | 'message'> & {
    /** Empty where it was blanked. */
    message: string;
    /** When the outbox is to look at it, in ms since the epoch. */
    due_at: number | null;
  };

type AttemptRow = Attempt & { payment_id: string; number: number };

/** The SQL of the store, prepared once. */
export function prepareStatements(db: DatabaseSync) {
  const payments = db.prepare('SELECT * FROM payments WHERE payment_id IN (SELECT value FROM json_each(?))');
  const attempts = db.prepare(`
    SELECT * FROM attempts WHERE payment_id IN (SELECT value FROM json_each(?)) ORDER BY payment_id, number`);
  const key = db.prepare('SELECT * FROM idempotency_keys WHERE key = ?');
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
  // Both read no more of the index by status than what is pending.
  const backlogSize = db.prepare(
    "SELECT count(*) AS size FROM payments WHERE notification_status = 'pending'",
  );
  const backlogOldest = db.prepare(`
    SELECT created_at FROM payments WHERE notification_status = 'pending' ORDER BY payment_id LIMIT 1`);
  const emptyLog = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
  const { user_version } = db.prepare('PRAGMA user_version').get() as { user_version: number };

  return {
    insertPayment: db.prepare(`
      INSERT INTO payments (payment_id, amount_minor, currency, customer_id, phone, message, encoding, segments,
                            notification_service, notification_status, reason, next_attempt_at, expires_at, retries, reopened, fence, due_at, created_at, traceparent, request_id)
      VALUES (:payment_id, :amount_minor, :currency, :customer_id, :phone, :message, :encoding, :segments,
              :notification_service, :notification_status, :reason, :next_attempt_at, :expires_at, :retries, :reopened, :fence, :due_at, :created_at, :traceparent, :request_id)`),
    updatePayment: db.prepare(`
      UPDATE payments
      SET phone = :phone, notification_service = :notification_service, notification_status = :notification_status,
          reason = :reason, next_attempt_at = :next_attempt_at, expires_at = :expires_at, retries = :retries,
          reopened = :reopened,
          due_at = :due_at
      WHERE payment_id = :payment_id AND fence = :fence`),
    putAttempt: db.prepare(`
      INSERT INTO attempts (payment_id, number, provider, outcome, reason, message_id, started_at, duration_ms)
      VALUES (:payment_id, :number, :provider, :outcome, :reason, :message_id, :started_at, :duration_ms)
      ON CONFLICT (payment_id, number) DO UPDATE
        SET outcome = excluded.outcome, reason = excluded.reason, message_id = excluded.message_id,
            duration_ms = excluded.duration_ms`),
    selectPayments: (ids: string[]) => payments.all(JSON.stringify(ids)) as unknown as PaymentRow[],
    selectAttempts: (ids: string[]) => attempts.all(JSON.stringify(ids)) as unknown as AttemptRow[],

    endLeases: db.prepare(`
      UPDATE payments SET due_at = :now
      WHERE payment_id IN (SELECT payment_id FROM attempts WHERE outcome IS NULL)`),
    claimDue: (values: { now: number; limit: number; leased_until: number }) =>
      claimDue.all(values) as unknown as PaymentRow[],
    claim: (values: { payment_id: string; fence: number; due_at: number | null; leased_until: number }) =>
      claim.all(values) as unknown as PaymentRow[],

    selectKey: (value: string) => key.get(value) as KeyRow | undefined,
    insertKey: db.prepare(`
      INSERT INTO idempotency_keys (key, fingerprint, payment_id, answer_status, answer_body, created_at)
      VALUES (:key, :fingerprint, :payment_id, :answer_status, :answer_body, :created_at)`),
    keepAnswer: db.prepare(`
      UPDATE idempotency_keys SET answer_status = :status, answer_body = :body WHERE payment_id = :payment_id`),
    keepFirstAnswer: db.prepare(`
      UPDATE idempotency_keys
      SET answer_status = coalesce(answer_status, :status), answer_body = coalesce(answer_body, :body)
      WHERE payment_id = :payment_id
      RETURNING *`),
    forgetKeys: db.prepare(`
      DELETE FROM idempotency_keys
      WHERE key IN (SELECT key FROM idempotency_keys WHERE created_at < :before ORDER BY created_at LIMIT :limit)`),

    backlogSize: () => (backlogSize.get() as { size: number }).size,
    backlogOldest: () => (backlogOldest.get() as { created_at: string } | undefined)?.created_at ?? null,

    // Not what somebody has in hand: it has a due time. Whoever has read it before is told by the fence.
    blank: db.prepare(`
      UPDATE payments SET message = '', phone = NULL, fence = fence + 1
      WHERE payment_id IN (
        SELECT payment_id FROM payments
        WHERE message <> '' AND created_at < :before AND notification_status <> 'pending' AND due_at IS NULL
        ORDER BY created_at LIMIT :limit
      )`),

    /** False if it could not, because another process reads it, such as a backup. */
    emptyLog: () => (emptyLog.get() as { busy: number }).busy === 0,

    putPhone: db.prepare(`
      INSERT INTO customers (customer_id, phone) VALUES (:customer_id, :phone)
      ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone`),
    findPhone: db.prepare('SELECT phone FROM customers WHERE customer_id = ?'),
    forgetPhone: db.prepare('DELETE FROM customers WHERE customer_id = ?'),

    touch: () => db.exec(`PRAGMA user_version = ${user_version}`),
  };
}

/** One row more than the page has, if there is one. */
export function selectPage(db: DatabaseSync, query: PaymentQuery): PaymentRow[] {
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
  return db
    .prepare(`${selects.join(' UNION ALL ')} ORDER BY payment_id DESC LIMIT ?`)
    .all(...values, query.limit + 1) as unknown as PaymentRow[];
}

/** The index by status and customer has all payments of a customer in as many pieces as there are statuses. */
const partsOf = (query: PaymentQuery): PaymentQuery[] =>
  query.customer_id !== undefined && query.notification_status === undefined
    ? notificationStatusSchema.options.map((notification_status) => ({ ...query, notification_status }))
    : [query];
