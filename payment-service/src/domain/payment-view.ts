import { z } from 'zod';
import { formatAmount } from './money.ts';
import { isPossibleDuplicate, type Payment, paymentSchema } from './payment.ts';

const stored = paymentSchema.shape;

/** A payment as clients see it: its notification is nested, its amount is a decimal number, its phone is left out. */
export const paymentViewSchema = z.object({
  payment_id: stored.payment_id,
  status: z.literal('completed'),
  amount: z.number().meta({ example: 100.5 }),
  currency: stored.currency,
  customer_id: stored.customer_id,
  notification_service: stored.notification_service,
  notification_status: stored.notification_status,
  possible_duplicate: z.boolean().meta({
    description:
      'A provider accepted the SMS, and another attempt was accepted as well, or may have been: the customer may receive it twice',
  }),
  created_at: stored.created_at,
  notification: z.object({
    message: stored.message,
    encoding: stored.encoding,
    segments: stored.segments,
    reason: stored.reason,
    attempts: stored.attempts,
    next_attempt_at: stored.next_attempt_at,
  }),
});
export type PaymentView = z.infer<typeof paymentViewSchema>;

export function viewPayment(payment: Payment): PaymentView {
  return {
    payment_id: payment.payment_id,
    status: 'completed',
    amount: numberOf(formatAmount(payment.amount_minor, payment.currency)),
    currency: payment.currency,
    customer_id: payment.customer_id,
    notification_service: payment.notification_service,
    notification_status: payment.notification_status,
    possible_duplicate: isPossibleDuplicate(payment.attempts),
    created_at: payment.created_at,
    notification: {
      message: payment.message,
      encoding: payment.encoding,
      segments: payment.segments,
      reason: payment.reason,
      attempts: payment.attempts,
      next_attempt_at: payment.next_attempt_at,
    },
  };
}

/** Raw JSON for an amount of 16 digits, which would lose its last decimal as a double. */
const numberOf = (amount: string): number =>
  amount.length <= 15 ? Number(amount) : (JSON.rawJSON(amount) as unknown as number);
