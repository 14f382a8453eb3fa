import type { Attempt, Payment } from '../../domain/payment.ts';

export type PaymentRow = Omit<Payment, 'notification'> &
  Omit<Payment['notification'], 'attempts'> & { due_at: string | null; attempts: Attempt[] };

export const paymentsOf = (rows: PaymentRow[]): Payment[] =>
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
