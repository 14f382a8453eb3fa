import type { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../../domain/payment.ts';
import { type PaymentRow, paymentOf, selectedNames } from './rows.ts';

/** The statements that lease notifications. Times are ms since the epoch. */
export function prepareClaims(db: DatabaseSync) {
  const endLeases = db.prepare(`
    UPDATE payments SET due_at = :now
    WHERE due_at > :now AND EXISTS (
      SELECT 1 FROM attempts WHERE attempts.payment_id = payments.payment_id AND outcome IS NULL
    )`);
  const claimDue = db.prepare(`
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id IN (
      SELECT payment_id FROM payments WHERE due_at <= :now ORDER BY due_at LIMIT :limit
    )
    RETURNING ${selectedNames}`);
  const claim = db.prepare(`
    UPDATE payments SET fence = fence + 1, due_at = :leased_until
    WHERE payment_id = :payment_id AND fence = :fence AND due_at IS :due_at
    RETURNING ${selectedNames}`);

  return {
    endLeases: (now: number) => void endLeases.run({ now }),
    claimDue: (now: number, limit: number, leased_until: number): Payment[] =>
      (claimDue.all({ now, limit, leased_until }) as unknown as PaymentRow[]).map(paymentOf),
    /** Returns undefined if another worker has claimed it. */
    claim({ payment_id, fence }: Payment, due_at: number | null, leased_until: number): Payment | undefined {
      const row = claim.get({ payment_id, fence, due_at, leased_until }) as PaymentRow | undefined;
      return row && paymentOf(row);
    },
  };
}
