import type { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../../domain/payment.ts';
import { type OwnerOf, ownerOfRow } from '../owner.ts';
import type { Customer } from '../store.ts';
import { claimedOf, sortRows } from '../stored-payments.ts';
import { type PaymentRow, paymentOf, prepareRows, selectedNames } from './rows.ts';

const ms = (time: string) => `CAST(round(unixepoch(${time}, 'subsec') * 1000) AS INTEGER)`;
/** Due at its next attempt or its expiry: otherwise `due_at` is the end of a lease. */
const isScheduled = `(due_at IS min(${ms('next_attempt_at')}, ${ms('expires_at')}))`;
const isHeld = `(next_attempt_at IS NULL AND due_at = ${ms('expires_at')})`;

const claimedNames = `${selectedNames}, EXISTS (SELECT 1 FROM suppressions WHERE phone = payments.phone) AS suppressed`;

const claimedOfRow = (row: PaymentRow) => claimedOf(paymentOf(row), row.suppressed);

/** The statements that lease notifications. Times are ms since the epoch. */
export function prepareClaims(db: DatabaseSync, ownerOf: OwnerOf) {
  const endLeases = db.prepare(`
    UPDATE payments SET due_at = :now
    WHERE due_at > :now AND CASE WHEN json_valid(attempts) THEN
      json_type(attempts, '$[#-1]') = 'object' AND json_extract(attempts, '$[#-1].outcome') IS NULL
    END`);
  const claimDue = prepareRows(
    db,
    `
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id IN (
      SELECT payment_id FROM payments WHERE due_at <= :now ORDER BY due_at LIMIT :limit
    )
    RETURNING ${claimedNames}`,
  );
  const bringForward = db.prepare(`
    UPDATE payments SET due_at = iif(${isScheduled}, min(:latest, :leased_until), :leased_until)
    WHERE payment_id IN (
      SELECT payment_id FROM payments
      WHERE due_at > min(:latest, :leased_until) AND NOT ${isHeld}
        AND due_at > iif(${isScheduled}, :latest, :leased_until)
      ORDER BY due_at LIMIT :limit
    )`);
  const claim = prepareRows(
    db,
    `
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id = :payment_id AND fence = :fence AND due_at IS :due_at AND updated_at IS :updated_at
    RETURNING ${claimedNames}`,
  );

  const seize = prepareRows(
    db,
    `
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id = :payment_id AND fence = :fence
    RETURNING ${claimedNames}`,
  );

  // The fencing token is raised, so that a worker which found no phone does not hold it again.
  const releaseHeld = db.prepare(`
    UPDATE payments SET due_at = :now, next_attempt_at = :at, fence = fence + 1
    WHERE payment_id IN (
      SELECT payment_id FROM payments
      WHERE notification_status = 'held' AND customer_id = :customer_id AND reason = 'phone_unknown' AND due_at > :now
        AND ${ownerOfRow(ownerOf)} = :owner
      ORDER BY payment_id LIMIT :limit
    )`);
  const claimAsks = prepareRows(
    db,
    `
    UPDATE payments SET ask_at = :leased_until
    WHERE payment_id IN (SELECT payment_id FROM payments WHERE ask_at <= :now ORDER BY ask_at LIMIT :limit)
    RETURNING ${selectedNames}`,
  );

  return {
    endLeases: (now: number) => void endLeases.run({ now }),
    claimDue: (now: number, limit: number, leased_until: number) =>
      sortRows(claimDue.all({ now, limit, leased_until }) as PaymentRow[], claimedOfRow),
    releaseHeld({ client, customer_id }: Customer, now: number, limit: number): number {
      const at = new Date(now).toISOString();
      return Number(releaseHeld.run({ owner: ownerOf(client), customer_id, now, at, limit }).changes);
    },
    claimAsks(now: number, limit: number, leased_until: number) {
      const times = { now: new Date(now).toISOString(), leased_until: new Date(leased_until).toISOString() };
      return sortRows(claimAsks.all({ ...times, limit }) as PaymentRow[], paymentOf);
    },
    bringForward: (latest: number, limit: number, leased_until: number): number =>
      Number(bringForward.run({ latest, limit, leased_until }).changes),
    /** Returns no payment if it has changed since it was read, or another worker has claimed it. */
    claim: ({ payment_id, fence, updated_at }: Payment, due_at: number | null, leased_until: number) =>
      sortRows(
        claim.all({ payment_id, fence, due_at, updated_at, leased_until }) as PaymentRow[],
        claimedOfRow,
      ),
    /** Also if another worker has leased it. */
    seize: ({ payment_id, fence }: Payment, leased_until: number) =>
      sortRows(seize.all({ payment_id, fence, leased_until }) as PaymentRow[], claimedOfRow),
  };
}
