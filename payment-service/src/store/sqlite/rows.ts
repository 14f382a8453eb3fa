import type { DatabaseSync } from 'node:sqlite';
import type { Payment } from '../../domain/payment.ts';

export type PaymentRow = Omit<Payment, 'notification'> &
  Omit<Payment['notification'], 'attempts' | 'message'> & {
    /** Empty where it was blanked. */
    message: string;
    /** When the outbox is to look at it, in ms since the epoch. */
    due_at: number | null;
    /** As JSON. */
    attempts: string;
  };

export const paymentsOf = (rows: PaymentRow[]): Payment[] =>
  rows.map(({ message, encoding, segments, reason, attempts, next_attempt_at, due_at: _, ...payment }) => ({
    ...payment,
    notification: {
      message: message || null,
      encoding,
      segments,
      reason,
      attempts: JSON.parse(attempts),
      next_attempt_at,
    },
  }));

export function preparePhone(db: DatabaseSync): (customer_id: string) => string | undefined {
  const phone = db.prepare('SELECT phone FROM customers WHERE customer_id = ?');
  return (customer_id) => (phone.get(customer_id) as { phone: string } | undefined)?.phone;
}
