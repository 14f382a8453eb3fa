import type { Attempt, Payment } from '../payment.ts';

/** What the tables look like, and what their rows are to the store. */

/** What an update may change. */
export const changingColumns = {
  phone: 'text',
  notification_service: 'text',
  notification_status: 'text',
  reason: 'text',
  next_attempt_at: 'timestamptz',
  expires_at: 'timestamptz',
  retries: 'integer',
  reopened: 'integer',
  due_at: 'timestamptz',
} as const;

export const paymentColumns = {
  payment_id: 'text',
  amount_minor: 'bigint',
  currency: 'text',
  customer_id: 'text',
  message: 'text',
  encoding: 'text',
  segments: 'integer',
  fence: 'integer',
  created_at: 'timestamptz',
  traceparent: 'text',
  request_id: 'text',
  ...changingColumns,
} as const;

export const keyColumns = {
  key: 'text',
  fingerprint: 'text',
  payment_id: 'text',
  answer_status: 'integer',
  answer_body: 'text',
  created_at: 'timestamptz',
} as const;

export const attemptColumns = {
  payment_id: 'text',
  number: 'integer',
  provider: 'text',
  outcome: 'text',
  reason: 'text',
  message_id: 'text',
  started_at: 'timestamptz',
  duration_ms: 'integer',
} as const;

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
