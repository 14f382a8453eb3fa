import { notificationStatusSchema } from '../../domain/payment.ts';

/** A count, or a sum, in both databases. */
export interface Count {
  of: string;
  source: bigint;
  target: bigint;
}

export type CountsRow = Record<string, string>;

/** Amounts are added in two parts, because 1025 of the largest exceed 2^63-1, the largest integer of SQLite. */
const part = 1_000_000;

const counted = {
  customers: 'SELECT count(*) FROM customers',
  payments: 'SELECT count(*) FROM payments',
  ...Object.fromEntries(
    notificationStatusSchema.options.map((status) => [
      `payments ${status}`,
      `SELECT count(*) FROM payments WHERE notification_status = '${status}'`,
    ]),
  ),
  attempts: 'SELECT count(*) FROM attempts',
  // Finds a payment that a service has changed since it was copied: the copy has fewer attempts, or more that run.
  'attempts running': 'SELECT count(*) FROM attempts WHERE outcome IS NULL',
  idempotency_keys: 'SELECT count(*) FROM idempotency_keys',
  suppressions: 'SELECT count(*) FROM suppressions',
  events: 'SELECT count(*) FROM events',
  'events pending': "SELECT count(*) FROM events WHERE delivery_status = 'pending'",
  provider_controls: 'SELECT count(*) FROM provider_controls',
  history: 'SELECT count(*) FROM history',
  statistics: 'SELECT count(*) FROM statistics',
  sms_days: 'SELECT count(*) FROM sms_days',
  sms_recipient_hours: 'SELECT count(*) FROM sms_recipient_hours',
  millions: `SELECT coalesce(sum(amount_minor / ${part}), 0) FROM payments`,
  rest: `SELECT coalesce(sum(amount_minor % ${part}), 0) FROM payments`,
};

/** A query that both SQLite and PostgreSQL run. It returns one row, a CountsRow. */
export const countSql = `SELECT ${Object.entries(counted)
  .map(([name, sql]) => `CAST((${sql}) AS text) AS "${name}"`)
  .join(', ')}`;

/** Pairs the results of `countSql` of both databases. */
export function compareCounts(source: CountsRow, target: CountsRow): Count[] {
  const [ofSource, ofTarget] = [withAmount(source), withAmount(target)];
  return Object.entries(ofSource).map(([of, count]) => ({ of, source: count, target: ofTarget[of] ?? 0n }));
}

function withAmount(row: CountsRow): Record<string, bigint> {
  const counts = Object.fromEntries(Object.entries(row).map(([name, count]) => [name, BigInt(count)]));
  const { millions = 0n, rest = 0n, ...others } = counts;
  return { ...others, 'sum of amount_minor': millions * BigInt(part) + rest };
}
