/**
 * The columns of the tables with their types in PostgreSQL. SQLite has the same columns, except that the attempts are one JSON
 * column of the payment there, and rows only in a view.
 */

/** The columns that an update may change. */
export const changingColumns = {
  phone: 'text',
  notification_service: 'text',
  notification_status: 'text',
  reason: 'text',
  next_attempt_at: 'timestamptz',
  expires_at: 'timestamptz',
  retries: 'integer',
  reopened: 'integer',
  updated_at: 'timestamptz',
  ask_at: 'timestamptz',
  asks: 'integer',
  possible_duplicate: 'boolean',
  actions: 'jsonb',
  due_at: 'timestamptz',
} as const;

/** Columns of a payment's row that are no part of the payment: the store computes them from it. */
export const computedColumns = ['possible_duplicate', 'due_at'];

export const paymentColumns = {
  payment_id: 'text',
  amount_minor: 'bigint',
  currency: 'text',
  customer_id: 'text',
  client: 'text',
  reference: 'text',
  metadata: 'json',
  message: 'text',
  encoding: 'text',
  segments: 'integer',
  fence: 'integer',
  created_at: 'timestamptz',
  traceparent: 'text',
  request_id: 'text',
  ...changingColumns,
} as const;

/** `client` is the owner: '' where clients are not isolated. */
export const customerColumns = { client: 'text', customer_id: 'text', phone: 'text' } as const;

export const keyColumns = {
  key: 'text',
  fingerprint: 'text',
  payment_id: 'text',
  answer_status: 'integer',
  answer_body: 'text',
  created_at: 'timestamptz',
} as const;

export const suppressionColumns = {
  suppression_id: 'text',
  phone: 'text',
  source: 'text',
  reason: 'text',
  provider: 'text',
  payment_id: 'text',
  created_at: 'timestamptz',
} as const;

/** Without the place in the feed, which the database gives. */
export const eventColumns = {
  event_id: 'text',
  payment_id: 'text',
  type: 'text',
  data: 'text',
  created_at: 'timestamptz',
} as const;

export const controlColumns = {
  provider: 'text',
  held_since: 'timestamptz',
  held_until: 'timestamptz',
  held_by: 'text',
  hold_reason: 'text',
  recoveries: 'integer',
} as const;

export const historyColumns = {
  entry_id: 'text',
  at: 'timestamptz',
  kind: 'text',
  provider: 'text',
  replica: 'text',
  by: 'text',
  reason: 'text',
} as const;

export const statisticsColumns = {
  hour: 'timestamptz',
  process: 'text',
  provider: 'text',
  sums: 'json',
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
  mode: 'text',
  phone_last4: 'text',
  deliveries: 'jsonb',
} as const;
