import { modeSchema } from 'service-kit/contract/mode.ts';
import { phoneSchema, providerSchema } from 'service-kit/contract/notification.ts';
import { measureText } from 'service-kit/contract/sms-text.ts';
import { z } from 'zod';
import { writeMoney } from './money.ts';
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
      'Why the provider did not accept the SMS. An attempt that turned out to be accepted after another one was made keeps the reason of its unknown outcome',
    example: 'connection_refused',
  }),
  message_id: z.string().nullable().meta({ description: "The provider's id of the SMS" }),
  started_at: z.iso.datetime(),
  duration_ms: z.number().int().nullable(),
  mode: modeSchema.nullable().default(null).meta({
    description:
      'Whether the provider service sends for real: `sandbox` sent nothing. null if it has not answered, as for an attempt that was not made, or of an earlier release',
  }),
});
export type Attempt = z.infer<typeof attemptSchema>;

/** A payment and its notification, as stored. Clients get the view of it: payment-view.ts. */
export const paymentSchema = z.object({
  payment_id: z.string().meta({ example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d' }),
  amount_minor: z.number().int().nonnegative(),
  currency: z.string().meta({ example: 'COP' }),
  /** No rule of requests, because an earlier release may have accepted what is refused now, such as an id that shows nothing. */
  customer_id: z.string().min(1).meta({ description: "The customer's id", example: '123' }),
  phone: phoneSchema.nullable(),
  message: z.string().nullable().meta({ description: 'null once PAYMENT_RETENTION_MS has passed' }),
  encoding: z.enum(['GSM-7', 'UCS-2']).meta({ description: 'The encoding of the SMS' }),
  segments: z.number().int().meta({ description: 'The number of SMS that the text takes' }),
  notification_service: providerSchema
    .nullable()
    .meta({ description: 'The provider that accepted the notification' }),
  notification_status: notificationStatusSchema,
  reason: z.string().nullable().meta({
    description: 'Why the notification failed, is held, or waits though a provider is available',
    example: 'expired',
  }),
  attempts: z.array(attemptSchema),
  next_attempt_at: z.iso.datetime().nullable(),
  /** When the notification fails if no provider has accepted it. */
  expires_at: z.iso.datetime(),
  /** Rounds in which no provider accepted it. */
  retries: z.number().int(),
  /** The number of attempts at the last retry by hand: the ones before it no longer count. */
  reopened: z.number().int(),
  /** The fencing token: incremented by each claim, so that writes of an earlier claim are rejected. */
  fence: z.number().int(),
  created_at: z.iso.datetime(),
  /** The ids of the request that made the payment, for what the outbox does about it later. */
  traceparent: z.string().nullable(),
  request_id: z.string().nullable(),
});
export type Payment = z.infer<typeof paymentSchema>;

/** Called with a payment as it was committed, and as it was before; a new payment was undefined. It must not throw. */
export type PaymentObserver = (payment: Payment, before: Payment | undefined) => void;

export interface PaymentRequest
  extends Pick<Payment, 'amount_minor' | 'currency' | 'customer_id' | 'phone' | 'message'> {
  /** How long its notification is worth sending; undefined if the client does not say. */
  ttl_seconds?: number | undefined;
}

/** `ids` are those of the request that makes the payment; `ttlMs` holds for a request without `ttl_seconds`. */
export function newPayment(
  request: PaymentRequest,
  ttlMs: number,
  { traceparent, request_id }: Pick<Payment, 'traceparent' | 'request_id'>,
): Payment {
  const { amount_minor, currency, customer_id, phone, ttl_seconds } = request;
  const now = Date.now();
  const message =
    request.message ?? `Se ha procesado un pago de ${writeMoney(amount_minor, currency)} con éxito.`;
  const { encoding, segments } = measureText(message);
  return {
    payment_id: newPaymentId(),
    amount_minor,
    currency,
    customer_id,
    phone,
    message,
    encoding,
    segments,
    notification_service: null,
    notification_status: 'pending',
    reason: null,
    attempts: [],
    next_attempt_at: null,
    expires_at: new Date(now + (ttl_seconds === undefined ? ttlMs : ttl_seconds * 1000)).toISOString(),
    retries: 0,
    reopened: 0,
    fence: 1,
    created_at: new Date(now).toISOString(),
    traceparent,
    request_id,
  };
}

/** One attempt was accepted, and another one was accepted or may have been. */
export function isPossibleDuplicate(attempts: Attempt[]): boolean {
  if (attempts.length < 2) return false;
  const count = (outcome: Attempt['outcome']) =>
    attempts.filter((attempt) => attempt.outcome === outcome).length;
  return count('accepted') > 0 && count('accepted') + count('unknown') > 1;
}
