import type { DatabaseSync } from 'node:sqlite';
import { type PaymentRow, paymentOf, prepareRows, selectedNames } from '../sqlite/rows.ts';

const maxNamed = 20;

/**
 * Reads every payment once, about 16 µs each, since PostgreSQL would refuse some of those that cannot be read, and without their ids.
 *
 * @throws Error with the ids of the payments that cannot be read
 */
export function refuseUnreadable(source: DatabaseSync): void {
  const rows = prepareRows(source, `SELECT ${selectedNames} FROM payments`).iterate();
  const ids: string[] = [];
  for (const row of rows as Iterable<PaymentRow>) {
    if (!paymentOf(row)) ids.push(row.payment_id);
    if (ids.length > maxNamed) break;
  }
  if (ids.length === 0) return;
  const named = ids.slice(0, maxNamed).join(', ');
  throw new Error(
    `these payments cannot be read, so repair or remove them first: ${named}${ids.length > maxNamed ? ', …' : ''}`,
  );
}
