import { customerIdSchema, providerSchema } from 'service-kit/contract/notification.ts';
import { measureText } from 'service-kit/contract/sms-text.ts';
import { type CorrelationIds, currentIds } from 'service-kit/telemetry/correlation.ts';
import { z } from 'zod';
import { formatAmount } from './money.ts';
import { newPaymentId } from './payment-id.ts';

export const notificationStatusSchema = z.enum(['pending', 'sent', 'delivered', 'failed']);

const attemptSchema = z.object({
  provider: providerSchema,
  outcome: z
    .enum(['accepted', 'rejected', 'not_sent', 'unknown'])
    .nullable()
    .meta({ description: 'null while the attempt runs' }),
  reason: z.string().nullable().meta({
    description:
      'Why it was not taken; or, of one that was found to be taken only after another one was made, why nobody knew',
    example: 'connection_refused',
  }),
  message_id: z.string().nullable().meta({ description: "The provider's id of the SMS" }),
  started_at: z.iso.datetime(),
  duration_ms: z.number().int().nullable(),
});
export type Attempt = z.infer<typeof attemptSchema>;

/** A payment as clients see it. */
export const paymentSchema = z.object({
  payment_id: z.string().meta({ example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d' }),
  status: z.literal('completed'),
  amount: z.number().meta({ example: 100.5 }),
  currency: z.string().meta({ example: 'COP' }),
  customer_id: customerIdSchema,
  notification_service: providerSchema.nullable().meta({ description: 'Who has taken the notification' }),
  notification_status: notificationStatusSchema,
  possible_duplicate: z.boolean().meta({
    description:
      'A provider took it, and another attempt was taken too, or may have been: the SMS may come twice',
  }),
  created_at: z.iso.datetime(),
  notification: z.object({
    message: z.string().nullable().meta({ description: 'null once PAYMENT_RETENTION_MS has passed' }),
    encoding: z.enum(['GSM-7', 'UCS-2']).meta({ description: 'How the text travels' }),
    segments: z.number().int().meta({ description: 'How many SMS the text takes' }),
    reason: z.string().nullable().meta({
      description: 'Why it failed, or what it waits for if nobody will try again',
      example: 'expired',
    }),
    attempts: z.array(attemptSchema),
    next_attempt_at: z.iso.datetime().nullable(),
  }),
});
export type PaymentView = z.infer<typeof paymentSchema>;

/** A payment as it is kept: what clients see, and what they do not. */
export type Payment = Omit<PaymentView, 'amount' | 'status' | 'possible_duplicate'> &
  CorrelationIds & {
    amount_minor: number;
    phone: string | null;
    /** When its notification is given up. */
    expires_at: string;
    /** How often all providers were tried in vain. */
    retries: number;
    /** How many attempts there were when a person last wanted it sent: those before are history. */
    reopened: number;
    /** Grows with each worker that takes the notification on; what an earlier one still writes is refused. */
    fence: number;
  };

/** Told of a payment that is on disk as it now is, and of what it was; a new one was nothing. It never throws. */
export type PaymentObserver = (payment: Payment, before: Payment | undefined) => void;

export type PaymentRequest = Pick<Payment, 'amount_minor' | 'currency' | 'customer_id' | 'phone'> & {
  message: string | null;
};

/** It keeps the ids of the request that it comes with, for what is done about it later. */
export function newPayment(request: PaymentRequest, ttlMs: number): Payment {
  const { amount_minor, currency, customer_id, phone } = request;
  const { traceparent, request_id } = currentIds();
  const now = Date.now();
  const message =
    request.message ?? `Se ha procesado un pago de $${formatAmount(amount_minor, currency)} con éxito.`;
  const { encoding, segments } = measureText(message);
  return {
    amount_minor,
    currency,
    customer_id,
    phone,
    payment_id: newPaymentId(),
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + ttlMs).toISOString(),
    retries: 0,
    reopened: 0,
    fence: 1,
    traceparent,
    request_id,
    notification_service: null,
    notification_status: 'pending',
    notification: {
      message,
      encoding,
      segments,
      reason: null,
      attempts: [],
      next_attempt_at: null,
    },
  };
}

export function viewPayment(payment: Payment): PaymentView {
  return {
    payment_id: payment.payment_id,
    status: 'completed',
    amount: numberOf(formatAmount(payment.amount_minor, payment.currency)),
    currency: payment.currency,
    customer_id: payment.customer_id,
    notification_service: payment.notification_service,
    notification_status: payment.notification_status,
    possible_duplicate: isPossibleDuplicate(payment.notification.attempts),
    created_at: payment.created_at,
    notification: payment.notification,
  };
}

/** As a double, an amount of 16 digits would lose its last decimal; raw JSON takes longer to write. */
const numberOf = (amount: string): number =>
  amount.length <= 15 ? Number(amount) : (JSON.rawJSON(amount) as unknown as number);

/** One attempt was accepted, and another one was too, or may have been. */
export function isPossibleDuplicate(attempts: Attempt[]): boolean {
  if (attempts.length < 2) return false;
  const count = (kind: Attempt['outcome']) => attempts.filter(({ outcome }) => outcome === kind).length;
  return count('accepted') > 0 && count('accepted') + count('unknown') > 1;
}

export function withNotification(payment: Payment, changes: Partial<Payment['notification']>): Payment {
  return { ...payment, notification: { ...payment.notification, ...changes } };
}
