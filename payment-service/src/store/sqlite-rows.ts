import type { DatabaseSync } from 'node:sqlite';
import type { Attempt, Payment } from '../payment.ts';

export type PaymentRow = Omit<Payment, 'notification'> &
  Omit<Payment['notification'], 'attempts' | 'message'> & {
    /** Empty where it was blanked. */
    message: string;
    /** When the outbox is to look at it, in ms since the epoch. */
    due_at: number | null;
  };

type AttemptRow = Attempt & { payment_id: string; number: number };

/** Makes payments of rows, in their order: each gets its attempts. */
export function preparePayments(db: DatabaseSync): (rows: PaymentRow[]) => Payment[] {
  const attempts = db.prepare(`
    SELECT * FROM attempts WHERE payment_id IN (SELECT value FROM json_each(?)) ORDER BY payment_id, number`);

  return (rows) => {
    const ids = JSON.stringify(rows.map(({ payment_id }) => payment_id));
    const byPayment = Map.groupBy(
      attempts.all(ids) as unknown as AttemptRow[],
      ({ payment_id }) => payment_id,
    );
    return rows.map(({ message, encoding, segments, reason, next_attempt_at, due_at: _, ...payment }) => ({
      ...payment,
      notification: {
        message: message || null,
        encoding,
        segments,
        reason,
        attempts: (byPayment.get(payment.payment_id) ?? []).map(
          ({ payment_id: _payment, number: _number, ...attempt }) => attempt,
        ),
        next_attempt_at,
      },
    }));
  };
}

export function preparePhone(db: DatabaseSync): (customer_id: string) => string | undefined {
  const phone = db.prepare('SELECT phone FROM customers WHERE customer_id = ?');
  return (customer_id) => (phone.get(customer_id) as { phone: string } | undefined)?.phone;
}
