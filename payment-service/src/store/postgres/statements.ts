import type { Database } from 'service-kit/postgres/database.ts';
import type { Payment } from '../../domain/payment.ts';
import { keyColumns, paymentColumns } from '../columns.ts';
import { type KeyRow, recordOf } from '../key-row.ts';
import type { KeptAnswer, PaymentQuery } from '../store.ts';
import { paymentsOf } from './rows.ts';

/**
 * One statement, so that a payment and its attempts are of one moment; and no *, since the release after this one may have
 * added columns while this one still runs.
 */
const selectPayments = `
  SELECT ${Object.keys(paymentColumns).join(', ')}, (
    SELECT coalesce(json_agg(attempts ORDER BY number), '[]') FROM attempts
    WHERE attempts.payment_id = payments.payment_id
  ) AS attempts
  FROM payments`;

/** The SQL of the store. What many ask for together takes arrays, and is one statement. */
export function prepareStatements(database: Database) {
  const query = <Row>(name: string, text: string, values: unknown[]) =>
    database.query<Row>({ name, text, values });

  return {
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
          `SELECT ${Object.keys(keyColumns).join(', ')} FROM idempotency_keys WHERE key = ANY ($1)`,
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
        `WITH old AS MATERIALIZED (
           SELECT key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2
           FOR UPDATE SKIP LOCKED
         )
         DELETE FROM idempotency_keys USING old WHERE idempotency_keys.key = old.key RETURNING 1`,
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

    findCustomers: (customerIds: string[]) =>
      query<{ customer_id: string; phone: string }>(
        'find_customers',
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
