import { type Provider, providers } from 'service-kit/contract/notification.ts';
import type { Attempt, Delivery, Payment } from './payment.ts';
import { writeTime } from './time.ts';

/** What became of the SMS of a notification's attempts, by what their receipts said. */

/** Accepted, and no receipt says that it did not arrive. */
export const isUnderWay = (attempt: Attempt): boolean =>
  attempt.outcome === 'accepted' && attempt.deliveries.length === 0;

export const isDelivered = ({ deliveries }: Attempt): boolean =>
  deliveries.some(({ status }) => status === 'delivered');

/** The delivery that counts, of those that the receipts said: delivered, or else the last one. */
export const deliveryOf = ({ deliveries }: Attempt): Delivery | null =>
  deliveries.find(({ status }) => status === 'delivered') ?? deliveries.at(-1) ?? null;

/** The provider took the SMS, and did not deliver it. */
export const isInVain = (attempt: Attempt): boolean => attempt.deliveries.length > 0 && !isDelivered(attempt);

/** The recipient, or the recipient's number, was refused: at once, or by a receipt. */
export const isRefusal = (attempt: Attempt): boolean =>
  attempt.outcome === 'rejected' || deliveryOf(attempt)?.status === 'refused';

/**
 * The attempt was made to another phone, before an operator had the notification sent again: that this phone was refused, or not
 * reached, does not end what is sent to the present one.
 */
export function isToFormerPhone({ attempts, reopened, phone }: Payment, index: number): boolean {
  const last4 = attempts[index]?.phone_last4 ?? null;
  return index < reopened && last4 !== null && last4 !== phone?.slice(-4);
}

/** The provider that took the SMS last. */
export const takenBy = (attempts: Attempt[]): Provider | null =>
  attempts.findLast(wasTaken)?.provider ?? null;

/** What was delivered was taken, though the record of an earlier release may say that it was not sent. */
const wasTaken = (attempt: Attempt): boolean => attempt.outcome === 'accepted' || isDelivered(attempt);

/** The providers that have not failed to deliver the notification, in the order in which they are tried. */
export function untriedProviders(payment: Payment): readonly Provider[] {
  const { attempts } = payment;
  const allowed = allowedProviders(payment);
  if (!attempts.some(isInVain)) return allowed;
  const inVain = new Set(attempts.filter(isInVain).map(({ provider }) => provider));
  return allowed.filter((provider) => !inVain.has(provider));
}

/** All, or the one that an operator chose when the notification was sent again last. */
function allowedProviders({ actions }: Payment): readonly Provider[] {
  const chosen = actions.at(-1)?.provider;
  return chosen ? [chosen] : providers;
}

/** The providers to try: a resend may find that none of them has delivered it. */
export function candidatesFor(payment: Payment): readonly Provider[] {
  const untried = untriedProviders(payment);
  return untried.length > 0 ? untried : allowedProviders(payment);
}

/** One SMS was accepted, and another one may have gone out as well. */
export function isPossibleDuplicate(attempts: Attempt[]): boolean {
  if (attempts.length < 2) return false;
  const gone = attempts.filter(mayHaveGoneOut);
  return gone.length > 1 && gone.some((attempt) => attempt.outcome === 'accepted' || isDelivered(attempt));
}

/** A late SMS may still reach a handset that was off; one that was not sent, filtered or refused reaches none. */
function mayHaveGoneOut(attempt: Attempt): boolean {
  const delivery = deliveryOf(attempt);
  if (delivery) return delivery.status === 'delivered' || delivery.status === 'undelivered';
  return attempt.outcome === 'accepted' || attempt.outcome === 'unknown';
}

/** When the provider that took the SMS last accepted it; null if none did. */
export function sentAt({ attempts }: Payment): string | null {
  const attempt = attempts.findLast(wasTaken);
  if (!attempt) return null;
  return writeTime(Date.parse(attempt.started_at) + (attempt.duration_ms ?? 0));
}

/** When the SMS was delivered, by the first receipt that says so; null if none does. */
export const deliveredAt = ({ attempts }: Payment): string | null =>
  attempts
    .flatMap(({ deliveries }) => deliveries)
    .filter(({ status }) => status === 'delivered')
    .map(({ at }) => at)
    .toSorted()[0] ?? null;
