/**
 * The columns of the tables, and what PostgreSQL calls their types. SQLite has the same, but for the attempts, which are one
 * column of the payment as JSON there, and only seen as rows.
 */

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
