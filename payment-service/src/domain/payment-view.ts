import { z } from 'zod';
import { actionSchema, viewAction } from './actions.ts';
import { deliveredAt, deliveryOf, isPossibleDuplicate, sentAt } from './deliveries.ts';
import { metadataSchema } from './merchant-data.ts';
import { formatAmount } from './money.ts';
import { type Attempt, attemptSchema, type Payment, paymentSchema } from './payment.ts';
import { paymentExample } from './payment-example.ts';

const stored = paymentSchema.shape;

export const attemptViewSchema = attemptSchema
  .extend({
    delivery: z
      .object({
        status: z.enum(['delivered', 'undelivered', 'not_sent']),
        reason: z.string().nullable(),
        at: z.iso.datetime(),
      })
      .nullable()
      .meta({
        description:
          'What became of the SMS: `delivered` if a receipt says so, else what the last one says; null if none came. One that was filtered or refused is `undelivered`',
      }),
  })
  .meta({
    id: 'Attempt',
    description: 'One call to one provider',
    example: paymentExample.notification.attempts.at(-1),
  });
type AttemptView = z.infer<typeof attemptViewSchema>;

/** A payment as clients see it: its notification is nested, its amount is a decimal number, its phone is left out. */
export const paymentViewSchema = z
  .object({
    payment_id: stored.payment_id,
    status: z.literal('completed'),
    amount: z.number().meta({ example: 100.5 }),
    amount_minor: stored.amount_minor,
    currency: stored.currency,
    customer_id: stored.customer_id,
    client: stored.client,
    reference: stored.reference,
    metadata: z.record(z.string(), z.string()).meta({ ...metadataSchema.meta() }),
    notification_service: stored.notification_service,
    notification_status: stored.notification_status,
    possible_duplicate: z.boolean().meta({
      description:
        'A provider accepted the SMS, and another attempt was accepted as well, or may have been: the customer may receive it twice',
    }),
    created_at: stored.created_at,
    updated_at: z.iso.datetime(),
    sent_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the provider of `notification_service` accepted the SMS' }),
    delivered_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the SMS was delivered, by its receipt' }),
    expires_at: stored.expires_at.meta({
      description: 'When the notification fails if no provider has accepted it',
    }),
    notification: z.object({
      message: stored.message,
      encoding: stored.encoding,
      segments: stored.segments,
      reason: stored.reason,
      attempts: z.array(attemptViewSchema),
      next_attempt_at: stored.next_attempt_at,
    }),
    actions: z
      .array(actionSchema)
      .meta({ description: 'What operators have done about its notification, in their order' }),
  })
  .meta({ id: 'Payment', example: paymentExample });
export type PaymentView = z.infer<typeof paymentViewSchema>;

export function viewPayment(payment: Payment): PaymentView {
  return {
    payment_id: payment.payment_id,
    status: 'completed',
    amount: numberOf(formatAmount(payment.amount_minor, payment.currency)),
    amount_minor: payment.amount_minor,
    currency: payment.currency,
    customer_id: payment.customer_id,
    client: payment.client,
    reference: payment.reference,
    metadata: payment.metadata ?? {},
    notification_service: payment.notification_service,
    notification_status: payment.notification_status,
    possible_duplicate: isPossibleDuplicate(payment.attempts),
    created_at: payment.created_at,
    updated_at: payment.updated_at ?? payment.created_at,
    sent_at: sentAt(payment),
    delivered_at: deliveredAt(payment),
    expires_at: payment.expires_at,
    notification: {
      message: payment.message,
      encoding: payment.encoding,
      segments: payment.segments,
      reason: payment.reason,
      attempts: payment.attempts.map(viewAttempt),
      next_attempt_at: payment.next_attempt_at,
    },
    actions: payment.actions.map(viewAction),
  };
}

export function viewAttempt(attempt: Attempt): AttemptView {
  const counts = deliveryOf(attempt);
  if (!counts) return { ...attempt, delivery: null };
  const { status, reason, at } = counts;
  // What was filtered or refused did not arrive either.
  const arrival = status === 'filtered' || status === 'refused' ? 'undelivered' : status;
  return { ...attempt, delivery: { status: arrival, reason, at } };
}

/** Raw JSON for an amount of 16 digits, which would lose its last decimal as a double. */
const numberOf = (amount: string): number =>
  amount.length <= 15 ? Number(amount) : (JSON.rawJSON(amount) as unknown as number);
