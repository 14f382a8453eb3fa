import { phoneSchema, providerSchema } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import { deliveryOf } from './deliveries.ts';
import { type Attempt, change, isTaken, type Payment } from './payment.ts';
import { newSuppressionId } from './payment-id.ts';
import { writeNow } from './time.ts';

/** A phone that gets no SMS, whichever provider would send it. There is one for a phone at most. */
export const suppressionSchema = z.object({
  suppression_id: z.string().meta({ example: 'sup_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d' }),
  phone: phoneSchema,
  source: z.enum(['opt_out', 'admin']).meta({
    description: '`opt_out`: the recipient wants no SMS, until a START. `admin`: until an admin deletes it',
  }),
  reason: z.string().meta({
    description: "The reason that the provider gave, STOP, or the admin's own words",
    example: 'twilio_21610',
  }),
  provider: providerSchema.nullable().meta({
    description: "The provider that reported the opt-out; null for an admin's",
    example: 'Twilio',
  }),
  payment_id: z.string().nullable().meta({
    description: 'The payment from whose SMS the opt-out was learned; null if it was learned from none',
    example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
  }),
  created_at: z.iso.datetime(),
});
export type Suppression = z.infer<typeof suppressionSchema>;

export const newSuppression = (fields: Omit<Suppression, 'suppression_id' | 'created_at'>): Suppression => ({
  suppression_id: newSuppressionId(),
  ...fields,
  created_at: writeNow(),
});

/** The reason of a notification that failed because its phone is suppressed. */
export const suppressedReason = 'suppressed';

/**
 * Ends the notification without the attempt that was begun for it: no provider is called. One that is sent again, although an SMS of
 * it was accepted, keeps its status.
 */
export function suppress(payment: Payment): Payment {
  const begun = payment.attempts.at(-1)?.outcome === null;
  const attempts = begun ? payment.attempts.slice(0, -1) : payment.attempts;
  if (isTaken(payment)) return change(payment, { attempts });
  return change(payment, {
    attempts,
    next_attempt_at: null,
    notification_status: 'failed',
    reason: suppressedReason,
  });
}

/** A new payment whose phone is suppressed, as it is inserted in place of the one that was begun. */
export const suppressNew = (begun: Payment): Payment => ({
  ...suppress(begun),
  attempts: [],
  updated_at: begun.updated_at,
});

/** The reasons with which a provider says that the recipient wants no SMS. A wrong number is none. */
export const optOutReasons: readonly string[] = ['twilio_21610', 'opted_out', 'blocked'];

/**
 * The opt-out that has become known since `before`, by the outcome or a receipt of an attempt. A resend may have changed
 * the phone since the attempt, which has only the last digits of its own.
 */
export function learnedOptOut(payment: Payment, before: Payment | undefined): Suppression | undefined {
  const { payment_id, phone, attempts } = payment;
  for (const [index, attempt] of attempts.entries()) {
    if (attempt === before?.attempts[index]) continue;
    const reason = optOutReasonOf(attempt);
    if (reason === undefined || phone === null || attempt.phone_last4 !== phone.slice(-4)) continue;
    return newSuppression({ phone, source: 'opt_out', reason, provider: attempt.provider, payment_id });
  }
  return undefined;
}

function optOutReasonOf(attempt: Attempt): string | undefined {
  const reason = attempt.outcome === 'rejected' ? attempt.reason : deliveryOf(attempt)?.reason;
  return reason && optOutReasons.includes(reason) ? reason : undefined;
}
