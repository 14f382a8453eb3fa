import { modeSchema } from 'service-kit/contract/mode.ts';
import { phoneSchema, providerSchema, receiptStatusSchema } from 'service-kit/contract/notification.ts';
import { measureText } from 'service-kit/contract/sms-text.ts';
import { z } from 'zod';
import { storedActionSchema } from './actions.ts';
import { metadataSchema, referenceSchema } from './merchant-data.ts';
import { writeMoney } from './money.ts';
import { newPaymentId } from './payment-id.ts';
import { writeNow, writeTime } from './time.ts';

/** `held`: nothing happens until something else does, which the reason names. */
export const notificationStatusSchema = z
  .enum(['pending', 'held', 'sent', 'delivered', 'failed', 'cancelled'])
  .meta({ id: 'NotificationStatus' });

const deliverySchema = z.object({
  status: receiptStatusSchema,
  reason: z.string().nullable(),
  at: z.iso.datetime().meta({ description: "The provider's own time if its receipt has one" }),
});
export type Delivery = z.infer<typeof deliverySchema>;

export const attemptSchema = z.object({
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
  phone_last4: z.string().nullable().default(null).meta({
    description:
      'The last four digits of the phone; null if none was known, or once it is redacted or erased',
    example: '4567',
  }),
  deliveries: z.array(deliverySchema).default([]).meta({
    description:
      'What its receipts said, in the order of their arrival, at most 20; a repeated one is left out',
  }),
});
export type Attempt = z.infer<typeof attemptSchema>;

/** A payment and its notification, as stored. Clients get the view of it: payment-view.ts. */
export const paymentSchema = z.object({
  payment_id: z.string().meta({ example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d' }),
  amount_minor: z.number().int().nonnegative().meta({
    description: "The amount in the currency's minor unit, such as centavos",
    example: 10050,
  }),
  currency: z.string().meta({ example: 'COP' }),
  /** No rule of requests, because an earlier release may have accepted what is refused now, such as an id that shows nothing. */
  customer_id: z.string().min(1).meta({ description: "The customer's id", example: '123' }),
  client: z.string().nullable().default(null).meta({
    description:
      'The name of the key that the payment was made with; null without keys, and for a payment of an earlier release',
    example: 'portal',
  }),
  reference: z
    .string()
    .nullable()
    .default(null)
    .meta({ ...referenceSchema.meta() }),
  metadata: z
    .record(z.string(), z.string())
    .nullable()
    .default(null)
    .meta({ ...metadataSchema.meta() }),
  phone: phoneSchema.nullable(),
  message: z
    .string()
    .nullable()
    .meta({ description: 'null once PAYMENT_RETENTION_MS has passed, or its customer is erased' }),
  encoding: z.enum(['GSM-7', 'UCS-2']).meta({ description: 'The encoding of the SMS' }),
  segments: z.number().int().meta({ description: 'The number of SMS that the text takes' }),
  notification_service: providerSchema
    .nullable()
    .meta({ description: 'The provider that accepted the notification last, whatever became of it' }),
  notification_status: notificationStatusSchema,
  reason: z.string().nullable().meta({
    description: 'Why the notification failed or is held; `no_receipt` if it was sent and no receipt came',
    example: 'expired',
  }),
  attempts: z.array(attemptSchema),
  next_attempt_at: z.iso.datetime().nullable(),
  /** When the notification fails if no provider has accepted it. */
  expires_at: z.iso.datetime(),
  /** Rounds in which no provider accepted it. */
  retries: z.number().int(),
  /** When the provider is asked what became of the SMS; null if no receipt is missing. */
  ask_at: z.iso.datetime().nullable().default(null),
  /** How often it has answered that. */
  asks: z.number().int().default(0),
  /** The number of attempts when an operator last had it sent again: the ones before it no longer count. */
  reopened: z.number().int(),
  /** What operators have done about it, in their order. */
  actions: z.array(storedActionSchema).default([]),
  /** The fencing token: incremented by each claim, so that writes of an earlier claim are rejected. */
  fence: z.number().int(),
  created_at: z.iso.datetime(),
  /** When a client saw it change last; null in a record of an earlier release. */
  updated_at: z.iso.datetime().nullable().default(null),
  /** The ids of the request that made the payment, for what the outbox does about it later. */
  traceparent: z.string().nullable(),
  request_id: z.string().nullable(),
});
export type Payment = z.infer<typeof paymentSchema>;

/** Called with a payment as it was committed, and as it was before; a new payment was undefined. It must not throw. */
export type PaymentObserver = (payment: Payment, before: Payment | undefined) => void;

export interface PaymentRequest
  extends Pick<Payment, 'amount_minor' | 'currency' | 'customer_id' | 'phone' | 'message'>,
    Partial<Pick<Payment, 'client' | 'reference' | 'metadata'>> {
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
  const { client = null, reference = null, metadata = null } = request;
  const now = Date.now();
  const created_at = writeTime(now);
  const message =
    request.message ?? `Se ha procesado un pago de ${writeMoney(amount_minor, currency)} con éxito.`;
  const { encoding, segments } = measureText(message);
  return {
    payment_id: newPaymentId(),
    amount_minor,
    currency,
    customer_id,
    client,
    reference,
    metadata,
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
    ask_at: null,
    asks: 0,
    reopened: 0,
    actions: [],
    fence: 1,
    created_at,
    updated_at: created_at,
    traceparent,
    request_id,
  };
}

/** The next version of a payment, changed now. */
export const change = (payment: Payment, changes: Partial<Payment>): Payment => ({
  ...payment,
  ...changes,
  updated_at: writeNow(),
});

/** An SMS of it was accepted, and may still arrive or has. */
export const isTaken = ({ notification_status }: Pick<Payment, 'notification_status'>): boolean =>
  notification_status === 'sent' || notification_status === 'delivered';

/** The notification has not ended and no provider has it: it is tried again, or held. */
export const isOpen = ({ notification_status }: Pick<Payment, 'notification_status'>): boolean =>
  notification_status === 'pending' || notification_status === 'held';
