import type { Database } from 'service-kit/postgres/database.ts';
import type { Payment } from '../../domain/payment.ts';
import { computedColumns, paymentColumns } from '../columns.ts';
import type { OwnerOf } from '../owner.ts';
import type { PageRead } from '../page-read.ts';
import type { Lasting } from '../payment-filters.ts';
import type { HeldRow } from '../stored-payments.ts';
import { allowanceStatements } from './allowance-statements.ts';
import { controlStatements } from './control-statements.ts';
import { customerStatements } from './customer-statements.ts';
import { erasureStatements } from './erasure-statements.ts';
import { eventStatements } from './event-statements.ts';
import { historyStatements } from './history-statements.ts';
import { keyStatements } from './key-statements.ts';
import { idAfterStatement, pageStatement } from './page-statement.ts';
import type { Query } from './query.ts';
import { statisticsStatements } from './statistics-statements.ts';
import { isSuppressed, suppressionStatements } from './suppression-statements.ts';
import { webhookStatements } from './webhook-statements.ts';

const selectedColumns = Object.keys(paymentColumns)
  .filter((name) => !computedColumns.includes(name))
  .map((name) => (name === 'actions' ? "coalesce(actions, '[]') AS actions" : name));

/** An expression for the text of a time. */
const asIso = (time: string) => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * One statement, so that a payment is consistent with its attempts. Columns are named, since a later release may have added
 * some while this one still runs. The times within JSON are formatted here, because PostgreSQL would write them its own way.
 */
const selectPayments = (more = '', from = 'payments') => `
  SELECT ${selectedColumns.join(', ')}${more}, (
    SELECT coalesce(json_agg(json_build_object(
      'provider', provider, 'outcome', outcome, 'reason', reason, 'message_id', message_id,
      'started_at', ${asIso('started_at')}, 'duration_ms', duration_ms, 'mode', mode,
      'phone_last4', phone_last4, 'deliveries', coalesce(deliveries, '[]')
    ) ORDER BY number), '[]')
    FROM attempts WHERE attempts.payment_id = payments.payment_id
  ) AS attempts
  FROM ${from}`;

/** Due at its next attempt or its expiry: otherwise `due_at` is the end of a lease. */
const isScheduled = '(next_attempt_at IS NOT NULL AND due_at = least(next_attempt_at, expires_at))';
const isHeld = '(next_attempt_at IS NULL AND due_at = expires_at)';

/** The statements of the store. Those that take arrays serve many requests at once. */
export function prepareStatements(database: Database, ownerOf: OwnerOf) {
  const query: Query = (name, text, values) => database.query({ name, text, values });

  return {
    ...keyStatements(query),
    ...customerStatements(query, ownerOf),
    ...allowanceStatements(query),
    ...suppressionStatements(query),
    ...eventStatements(query),
    ...controlStatements(query),
    ...webhookStatements(query),
    ...erasureStatements(query),
    ...historyStatements(query),
    ...statisticsStatements(query),
    find: (ids: string[]) =>
      query<PaymentRow>('find', `${selectPayments()} WHERE payment_id = ANY ($1)`, [ids]),

    lasting: (id: string) =>
      query<Lasting>(
        'lasting',
        `SELECT client, customer_id, reference, ${asIso('created_at')} AS created_at FROM payments WHERE payment_id = $1`,
        [id],
      ),

    page: (read: PageRead) =>
      database.query<PaymentRow>(pageStatement(read, (from) => selectPayments('', from))),

    idAfter: (count: number, read: PageRead) =>
      database.query<Pick<Payment, 'payment_id'>>(idAfterStatement(count, read)),

    /** Compares with `now()`, since an index condition cannot contain `clock_timestamp()`. */
    async claimDue(limit: number, leaseMs: number) {
      const claims = await query<Claim>(
        'claim_due',
        `UPDATE payments SET fence = fence + 1, due_at = now() + $2 * interval '1 ms'
         WHERE payment_id = ANY (ARRAY (
           SELECT payment_id FROM payments WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
         ))
         RETURNING payment_id, fence`,
        [limit, leaseMs],
      );
      return claims.length > 0 ? selectClaimed(claims) : [];
    },

    /** By the database's clock, because a replica whose clock is behind would cut the leases of the others short. */
    async bringForward(longestWaitMs: number, limit: number, leaseMs: number): Promise<number> {
      const brought = await query(
        'bring_forward',
        `WITH late AS MATERIALIZED (
           SELECT payment_id FROM payments
           WHERE due_at > now() + least($1::float8, $3::float8) * interval '1 ms'
             AND NOT ${isHeld}
             AND due_at > now() + CASE WHEN ${isScheduled} THEN $1 ELSE $3 END * interval '1 ms'
           ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE payments SET due_at = now() + CASE WHEN ${isScheduled} THEN least($1, $3) ELSE $3 END * interval '1 ms'
         WHERE payment_id = ANY (ARRAY (SELECT payment_id FROM late))
         RETURNING 1`,
        [longestWaitMs, limit, leaseMs],
      );
      return brought.length;
    },

    async claim({ payment_id, fence, updated_at }: Payment, dueAt: string | null, leaseMs: number) {
      const claims = await query<Claim>(
        'claim',
        `UPDATE payments SET fence = fence + 1, due_at = now() + $4 * interval '1 ms'
         WHERE payment_id = $1 AND fence = $2 AND due_at IS NOT DISTINCT FROM $3 AND updated_at IS NOT DISTINCT FROM $5
         RETURNING payment_id, fence`,
        [payment_id, fence, dueAt, leaseMs, updated_at],
      );
      return claims.length > 0 ? selectClaimed(claims) : [];
    },

    /** Also if another worker has leased it. */
    async seize({ payment_id, fence }: Payment, leaseMs: number) {
      const claims = await query<Claim>(
        'seize',
        `UPDATE payments SET fence = fence + 1, due_at = now() + $3 * interval '1 ms'
         WHERE payment_id = $1 AND fence = $2
         RETURNING payment_id, fence`,
        [payment_id, fence, leaseMs],
      );
      return claims.length > 0 ? selectClaimed(claims) : [];
    },

    async claimAsks(limit: number, leaseMs: number) {
      const claims = await query<Claim>(
        'claim_asks',
        `UPDATE payments SET ask_at = now() + $2 * interval '1 ms'
         WHERE payment_id = ANY (ARRAY (
           SELECT payment_id FROM payments WHERE ask_at <= now() ORDER BY ask_at LIMIT $1 FOR UPDATE SKIP LOCKED
         ))
         RETURNING payment_id, fence`,
        [limit, leaseMs],
      );
      return claims.length > 0 ? selectClaimed(claims) : [];
    },

    /** Skips leased payments (`due_at` is set). Raising the fencing token rejects writers that hold an older copy. */
    async redact(before: Date, limit: number): Promise<number> {
      const redacted = await query(
        'redact',
        `WITH redacted AS (
           UPDATE payments SET message = NULL, phone = NULL, fence = fence + 1
           WHERE payment_id = ANY (ARRAY (
             SELECT payment_id FROM payments
             WHERE message IS NOT NULL AND created_at < $1 AND due_at IS NULL
               AND notification_status NOT IN ('pending', 'held')
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
           ))
           RETURNING payment_id
         ), redacted_attempts AS (
           UPDATE attempts SET phone_last4 = NULL
           WHERE payment_id = ANY (ARRAY (SELECT payment_id FROM redacted)) AND phone_last4 IS NOT NULL
         )
         SELECT 1 FROM redacted`,
        [before, limit],
      );
      return redacted.length;
    },

    async backlog() {
      const [backlog] = await query<{ size: number; oldest_at: string | null }>(
        'backlog',
        `SELECT count(*) AS size, (
           SELECT ${asIso('created_at')} FROM payments
           WHERE notification_status = 'pending' AND created_at >= '0001-01-01Z' AND created_at < '9999-12-31Z'
           ORDER BY payment_id LIMIT 1 -- JSON has no such time as infinity
         ) AS oldest_at
         FROM payments WHERE notification_status = 'pending'`,
        [],
      );
      return backlog ?? { size: 0, oldest_at: null };
    },

    countHeld: () =>
      query<HeldRow>(
        'count_held',
        `SELECT reason, count(*) AS size FROM payments
         WHERE notification_status = 'held' AND reason IS NOT NULL GROUP BY reason`,
        [],
      ),

    /** A write that changes nothing. Returns the server's time, in ms since the epoch. */
    async touch(owner: string): Promise<number | undefined> {
      const [row] = await query<{ now: number }>(
        'touch',
        `UPDATE schema_versions SET version = version WHERE owner = $1
         RETURNING extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`,
        [owner],
      );
      return row?.now;
    },
  };

  /**
   * Reads claimed payments in a statement of its own: the claim's own snapshot would miss attempts that an earlier worker
   * committed while the claim waited for its lock. Payments that another worker has claimed since are left out.
   */
  function selectClaimed(claims: Claim[]): Promise<ClaimedRow[]> {
    return query(
      'find_claimed',
      `${selectPayments(`, ${isSuppressed('payments.phone')} AS suppressed`)}
       WHERE payment_id = ANY ($1) AND (payment_id, fence) IN (SELECT * FROM unnest($1::text[], $2::integer[]))`,
      [claims.map(({ payment_id }) => payment_id), claims.map(({ fence }) => fence)],
    );
  }
}

type Claim = Pick<Payment, 'payment_id' | 'fence'>;

/** A row of `selectPayments`, whose other columns are not known to be those of a payment. */
export type PaymentRow = Pick<Payment, 'payment_id'>;

export interface ClaimedRow extends PaymentRow {
  suppressed: boolean;
}
