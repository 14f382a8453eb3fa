import type { Database } from 'service-kit/postgres/database.ts';
import { rowsOf } from 'service-kit/postgres/rows.ts';
import type { Attempt, Payment } from '../payment.ts';
import type { IdempotencyRecord, KeptAnswer, PaymentQuery } from './store.ts';

/** A payment with when it is due, and the record of its key or the answer that is kept for it. */
export interface Insert {
  payment: Payment;
  due_at: string | null;
  record: IdempotencyRecord | undefined;
}
export interface Update {
  payment: Payment;
  due_at: string | null;
  answer: KeptAnswer | undefined;
}

type PaymentRow = Omit<Payment, 'notification'> &
  Omit<Payment['notification'], 'attempts'> & { due_at: string | null; attempts: Attempt[] };

interface KeyRow {
  key: string;
  fingerprint: string;
  payment_id: string;
  answer_status: number | null;
  answer_body: string | null;
}

const changing = {
  phone: 'text',
  notification_service: 'text',
  notification_status: 'text',
  reason: 'text',
  next_attempt_at: 'timestamptz',
  expires_at: 'timestamptz',
  retries: 'integer',
  reopened: 'integer',
  due_at: 'timestamptz',
} as const;

export const paymentColumns = {
  payment_id: 'text',
  amount_minor: 'bigint',
  currency: 'text',
  customer_id: 'text',
  message: 'text',
  encoding: 'text',
  segments: 'integer',
  fence: 'integer',
  created_at: 'timestamptz',
  traceparent: 'text',
  request_id: 'text',
  ...changing,
} as const;

export const keyColumns = {
  key: 'text',
  fingerprint: 'text',
  payment_id: 'text',
  answer_status: 'integer',
  answer_body: 'text',
  created_at: 'timestamptz',
} as const;

export const attemptColumns = {
  payment_id: 'text',
  number: 'integer',
  provider: 'text',
  outcome: 'text',
  reason: 'text',
  message_id: 'text',
  started_at: 'timestamptz',
  duration_ms: 'integer',
} as const;

const newPayments = rowsOf(paymentColumns);
const newKeys = rowsOf(keyColumns, newPayments.count + 1);
const newAttempts = rowsOf(attemptColumns, newPayments.count + newKeys.count + 1);
const updates = rowsOf({
  payment_id: 'text',
  fence: 'integer',
  ...changing,
  answer_status: 'integer',
  answer_body: 'text',
});
const updatedAttempts = rowsOf(attemptColumns, updates.count + 1);

const paymentColumnNames = newPayments.names.join(', ');
const keyColumnNames = newKeys.names.join(', ');
const attemptColumnNames = newAttempts.names.join(', ');

/** Keys in their order: two replicas that insert the same ones never wait for each other in a circle. */
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
    SELECT ${paymentColumnNames} FROM ${newPayments.sql} WHERE payment_id NOT IN (SELECT payment_id FROM refused)
  ), new_attempts AS (
    INSERT INTO attempts (${attemptColumnNames})
    SELECT ${attemptColumnNames} FROM ${newAttempts.sql} WHERE payment_id NOT IN (SELECT payment_id FROM refused)
  )
  SELECT payment_id FROM refused`;

const updateText = `
  WITH updated AS (
    UPDATE payments SET ${Object.keys(changing)
      .map((column) => `${column} = given.${column}`)
      .join(', ')}
    FROM ${updates.sql}
    WHERE payments.payment_id = given.payment_id AND payments.fence = given.fence
    RETURNING payments.payment_id, given.answer_status, given.answer_body
  ), put_attempts AS (
    INSERT INTO attempts (${attemptColumnNames})
    SELECT ${attemptColumnNames} FROM ${updatedAttempts.sql} WHERE payment_id IN (SELECT payment_id FROM updated)
    ON CONFLICT (payment_id, number) DO UPDATE
      SET outcome = excluded.outcome, reason = excluded.reason, message_id = excluded.message_id,
          duration_ms = excluded.duration_ms
      WHERE (attempts.outcome, attempts.reason, attempts.message_id, attempts.duration_ms)
        IS DISTINCT FROM (excluded.outcome, excluded.reason, excluded.message_id, excluded.duration_ms)
  ), kept AS (
    UPDATE idempotency_keys SET answer_status = updated.answer_status, answer_body = updated.answer_body
    FROM updated
    WHERE idempotency_keys.payment_id = updated.payment_id AND updated.answer_status IS NOT NULL
  )
  SELECT payment_id FROM updated`;

/**
 * One statement, so that a payment and its attempts are of one moment; and no *, since the release after this one may have
 * added columns while this one still runs.
 */
const selectPayments = `
  SELECT ${paymentColumnNames}, (
    SELECT coalesce(json_agg(attempts ORDER BY number), '[]') FROM attempts
    WHERE attempts.payment_id = payments.payment_id
  ) AS attempts
  FROM payments`;

/** The SQL of the store. What many ask for together takes arrays, and is one statement. */
export function prepareStatements(database: Database) {
  const query = <Row>(name: string, text: string, values: unknown[]) =>
    database.query<Row>({ name, text, values });
  const idsOf = (rows: { payment_id: string }[]) => rows.map(({ payment_id }) => payment_id);

  return {
    /** Returns the ids of those that were not inserted, because their key is known. */
    async insert(inserts: Insert[]): Promise<string[]> {
      const now = new Date().toISOString();
      const payments = inserts.map(({ payment: { notification, ...rest }, due_at }) => ({
        ...rest,
        ...notification,
        due_at,
      }));
      const keys = inserts.flatMap(({ payment: { payment_id }, record }) => {
        if (!record) return [];
        const { key, fingerprint, answer } = record;
        const { status: answer_status = null, body: answer_body = null } = answer ?? {};
        return [{ key, fingerprint, payment_id, answer_status, answer_body, created_at: now }];
      });
      return idsOf(
        await query('insert', insertText, [
          ...newPayments.values(payments),
          ...newKeys.values(keys),
          ...newAttempts.values(attemptRows(inserts)),
        ]),
      );
    },

    /** Returns the ids of those that were updated: their fence was as high as the payment's. */
    async update(given: Update[]): Promise<string[]> {
      const rows = given.map(({ payment: { notification, ...rest }, due_at, answer }) => ({
        ...rest,
        ...notification,
        due_at,
        answer_status: answer?.status ?? null,
        answer_body: answer?.body ?? null,
      }));
      return idsOf(
        await query('update', updateText, [
          ...updates.values(rows),
          ...updatedAttempts.values(attemptRows(given)),
        ]),
      );
    },

    find: async (ids: string[]) =>
      paymentsOf(await query('find', `${selectPayments} WHERE payment_id = ANY ($1)`, [ids])),

    /** One payment more than the page has, if there is one. */
    async page({ limit, starting_after, customer_id, notification_status }: PaymentQuery) {
      const conditions: [condition: string, value: unknown][] = [
        ['customer_id =', customer_id],
        ['notification_status =', notification_status],
        ['payment_id <', starting_after],
      ];
      const given = conditions.filter(([, value]) => value !== undefined);
      const where = given.map(([condition], index) => `${condition} $${index + 2}`).join(' AND ');
      return paymentsOf(
        await database.query({
          text: `${selectPayments} ${where && `WHERE ${where}`} ORDER BY payment_id DESC LIMIT $1`,
          values: [limit + 1, ...given.map(([, value]) => value)],
        }),
      );
    },

    async claimDue(now: Date, limit: number, leasedUntil: Date) {
      const claims = await query<Claim>(
        'claim_due',
        `WITH due AS MATERIALIZED (
           SELECT payment_id FROM payments WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE payments SET fence = fence + 1, due_at = $3 FROM due WHERE payments.payment_id = due.payment_id
         RETURNING payments.payment_id, fence`,
        [now, limit, leasedUntil],
      );
      return claims.length > 0 ? selectClaimed(claims) : [];
    },

    async claim({ payment_id, fence }: Payment, dueAt: string | null, leasedUntil: Date) {
      const claims = await query<Claim>(
        'claim',
        `UPDATE payments SET fence = fence + 1, due_at = $4
         WHERE payment_id = $1 AND fence = $2 AND due_at IS NOT DISTINCT FROM $3
         RETURNING payment_id, fence`,
        [payment_id, fence, dueAt, leasedUntil],
      );
      return claims.length > 0 ? selectClaimed(claims) : [];
    },

    findKeys: async (keys: string[]) =>
      (
        await query<KeyRow>(
          'find_keys',
          `SELECT ${keyColumnNames} FROM idempotency_keys WHERE key = ANY ($1)`,
          [keys],
        )
      ).map(recordOf),

    /** Returns the answer that is kept; undefined if there is no key. */
    async keepAnswer(paymentId: string, { status, body }: KeptAnswer): Promise<KeptAnswer | undefined> {
      const [kept] = await query<KeptAnswer>(
        'keep_answer',
        `UPDATE idempotency_keys
         SET answer_status = coalesce(answer_status, $2), answer_body = coalesce(answer_body, $3)
         WHERE payment_id = $1
         RETURNING answer_status AS status, answer_body AS body`,
        [paymentId, status, body],
      );
      return kept;
    },

    async forgetKeys(before: Date, limit: number): Promise<number> {
      const forgotten = await query(
        'forget_keys',
        `DELETE FROM idempotency_keys WHERE key IN (
           SELECT key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2
           FOR UPDATE SKIP LOCKED
         ) RETURNING 1`,
        [before, limit],
      );
      return forgotten.length;
    },

    /** Not what somebody has in hand: it has a due time. Whoever has read it before is told by the fence. */
    async blank(before: Date, limit: number): Promise<number> {
      const blanked = await query(
        'blank',
        `WITH old AS MATERIALIZED (
           SELECT payment_id FROM payments
           WHERE message IS NOT NULL AND created_at < $1 AND notification_status <> 'pending' AND due_at IS NULL
           ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE payments SET message = NULL, phone = NULL, fence = fence + 1
         FROM old WHERE payments.payment_id = old.payment_id
         RETURNING 1`,
        [before, limit],
      );
      return blanked.length;
    },

    async backlog() {
      const [backlog] = await query<{ size: number; oldest_at: string | null }>(
        'backlog',
        `SELECT count(*) AS size, (
           SELECT created_at FROM payments WHERE notification_status = 'pending' ORDER BY payment_id LIMIT 1
         ) AS oldest_at
         FROM payments WHERE notification_status = 'pending'`,
        [],
      );
      return backlog ?? { size: 0, oldest_at: null };
    },

    findPhones: (customerIds: string[]) =>
      query<{ customer_id: string; phone: string }>(
        'find_phones',
        'SELECT customer_id, phone FROM customers WHERE customer_id = ANY ($1)',
        [customerIds],
      ),

    putPhone: (customerId: string, phone: string) =>
      query(
        'put_phone',
        `INSERT INTO customers (customer_id, phone) VALUES ($1, $2)
         ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone`,
        [customerId, phone],
      ),

    forgetPhone: async (customerId: string) =>
      (await query('forget_phone', 'DELETE FROM customers WHERE customer_id = $1 RETURNING 1', [customerId]))
        .length > 0,

    /** A write that changes nothing. Returns what time it is for the server. */
    async touch(owner: string): Promise<string | undefined> {
      const [row] = await query<{ now: string }>(
        'touch',
        'UPDATE schema_versions SET version = version WHERE owner = $1 RETURNING clock_timestamp() AS now',
        [owner],
      );
      return row?.now;
    },
  };

  /**
   * The payments as they are after a claim, and not as the claim's own statement sees them: what a worker before has written
   * while the claim waited for it is not in that one's attempts. What somebody else has claimed since is left out.
   */
  async function selectClaimed(claims: Claim[]): Promise<Payment[]> {
    return paymentsOf(
      await query(
        'find_claimed',
        `${selectPayments} WHERE (payment_id, fence) IN (SELECT * FROM unnest($1::text[], $2::integer[]))`,
        [claims.map(({ payment_id }) => payment_id), claims.map(({ fence }) => fence)],
      ),
    );
  }
}

type Claim = Pick<Payment, 'payment_id' | 'fence'>;

const attemptRows = (given: { payment: Payment }[]) =>
  given.flatMap(({ payment: { payment_id, notification } }) =>
    notification.attempts.map((attempt, index) => ({ payment_id, number: index + 1, ...attempt })),
  );

function recordOf({ key, fingerprint, payment_id, answer_status, answer_body }: KeyRow): IdempotencyRecord {
  const answer =
    answer_status === null || answer_body === null ? null : { status: answer_status, body: answer_body };
  return { key, fingerprint, payment_id, answer };
}

const paymentsOf = (rows: PaymentRow[]): Payment[] =>
  rows.map(({ message, encoding, segments, reason, next_attempt_at, attempts, due_at: _, ...payment }) => ({
    ...payment,
    notification: {
      message,
      encoding,
      segments,
      reason,
      attempts: attempts.map(({ provider, outcome, reason, message_id, started_at, duration_ms }) => ({
        provider,
        outcome,
        reason,
        message_id,
        started_at: new Date(started_at).toISOString(), // as JSON, PostgreSQL writes it its own way
        duration_ms,
      })),
      next_attempt_at,
    },
  }));
