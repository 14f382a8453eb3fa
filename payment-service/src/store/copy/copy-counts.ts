import { notificationStatusSchema } from '../../domain/payment.ts';

/** How much of something both databases have. */
export interface Count {
  of: string;
  source: bigint;
  target: bigint;
}

export type CountsRow = Record<string, string>;

/** SQLite adds up to 2^63-1, and 1025 of the largest amounts are more: they are added in two parts. */
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
  // What was copied before a service went on with it has fewer attempts than now, or more that run.
  'attempts running': 'SELECT count(*) FROM attempts WHERE outcome IS NULL',
  idempotency_keys: 'SELECT count(*) FROM idempotency_keys',
  millions: `SELECT coalesce(sum(amount_minor / ${part}), 0) FROM payments`,
  rest: `SELECT coalesce(sum(amount_minor % ${part}), 0) FROM payments`,
};

/** The same for SQLite and PostgreSQL. Returns one row, a CountsRow. */
export const countSql = `SELECT ${Object.entries(counted)
  .map(([name, sql]) => `CAST((${sql}) AS text) AS "${name}"`)
  .join(', ')}`;

/** Puts side by side what `countSql` has returned of both. */
export function compareCounts(source: CountsRow, target: CountsRow): Count[] {
  const [ofSource, ofTarget] = [withAmount(source), withAmount(target)];
  return Object.entries(ofSource).map(([of, count]) => ({ of, source: count, target: ofTarget[of] ?? 0n }));
}

function withAmount(row: CountsRow): Record<string, bigint> {
  const counts = Object.fromEntries(Object.entries(row).map(([name, count]) => [name, BigInt(count)]));
  const { millions = 0n, rest = 0n, ...others } = counts;
  return { ...others, 'sum of amount_minor': millions * BigInt(part) + rest };
}
