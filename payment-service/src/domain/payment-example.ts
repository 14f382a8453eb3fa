/** For OpenAPI: payments as clients see them. */

const id = 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d';
const started_at = '2026-01-31T17:00:00.002Z';
const attempt = { message_id: null, mode: null, phone_last4: '4567', deliveries: [], delivery: null };

/** Twilio has sent the SMS, because Aldeamo's circuit was open. */
export const paymentExample = {
  payment_id: id,
  status: 'completed',
  amount: 100.5,
  amount_minor: 10050,
  currency: 'COP',
  customer_id: '123',
  client: 'portal',
  reference: 'order-1042',
  metadata: { shop: 'Chapinero' },
  notification_service: 'Twilio',
  notification_status: 'sent',
  possible_duplicate: false,
  created_at: '2026-01-31T17:00:00.000Z',
  updated_at: '2026-01-31T17:00:00.310Z',
  sent_at: '2026-01-31T17:00:00.310Z',
  delivered_at: null,
  expires_at: '2026-02-01T17:00:00.000Z',
  notification: {
    message: 'Pago recibido',
    encoding: 'GSM-7',
    segments: 1,
    reason: null,
    attempts: [
      {
        ...attempt,
        provider: 'Aldeamo',
        outcome: 'not_sent',
        reason: 'circuit_open',
        started_at,
        duration_ms: 0,
      },
      {
        ...attempt,
        provider: 'Twilio',
        outcome: 'accepted',
        reason: null,
        message_id: 'SM0123456789abcdef0123456789abcdef',
        started_at,
        duration_ms: 307,
        mode: 'live',
      },
    ],
    next_attempt_at: null,
  },
  actions: [],
};

/** Recorded, with an attempt that runs. */
export const pendingPaymentExample = {
  ...paymentExample,
  notification_service: null,
  notification_status: 'pending',
  updated_at: paymentExample.created_at,
  sent_at: null,
  notification: {
    ...paymentExample.notification,
    attempts: [
      { ...attempt, provider: 'Aldeamo', outcome: null, reason: null, started_at, duration_ms: null },
    ],
  },
};

const action = { at: '2026-01-31T17:05:00.000Z', by: 'maria', provider: null };

/** Sent again by Aldeamo, whose circuit had closed. */
export const resentPaymentExample = {
  ...paymentExample,
  notification_service: 'Aldeamo',
  possible_duplicate: true,
  updated_at: '2026-01-31T17:05:00.290Z',
  sent_at: '2026-01-31T17:05:00.290Z',
  expires_at: '2026-02-01T17:05:00.000Z',
  notification: {
    ...paymentExample.notification,
    attempts: [
      ...paymentExample.notification.attempts,
      {
        ...attempt,
        provider: 'Aldeamo',
        outcome: 'accepted',
        reason: null,
        message_id: 'AL0123456789',
        started_at: action.at,
        duration_ms: 290,
        mode: 'live',
      },
    ],
  },
  actions: [{ ...action, action: 'resend', reason: 'the customer has a new number' }],
};

/** Its call was cancelled before it arrived at Aldeamo. */
export const cancelledPaymentExample = {
  ...pendingPaymentExample,
  notification_status: 'cancelled',
  updated_at: action.at,
  notification: {
    ...paymentExample.notification,
    reason: 'by_hand',
    attempts: [
      {
        ...attempt,
        provider: 'Aldeamo',
        outcome: 'not_sent',
        reason: 'never_received',
        started_at,
        duration_ms: null,
      },
    ],
  },
  actions: [{ ...action, action: 'cancel', reason: 'the order was a test' }],
};

const { actions: _actions, ...withoutActions } = paymentExample;
const { message: _, attempts: _attempts, ...notification } = paymentExample.notification;

/** Without its text, its attempts and actions, as an event has it. */
export const eventPaymentExample = {
  ...withoutActions,
  notification_status: 'delivered',
  updated_at: '2026-01-31T17:00:04.120Z',
  delivered_at: '2026-01-31T17:00:04.000Z',
  notification,
};
