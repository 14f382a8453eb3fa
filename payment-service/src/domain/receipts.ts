import type { Receipt } from 'service-kit/contract/notification.ts';
import { attemptKey, settleAttempt } from './attempts.ts';
import { isDelivered, isToFormerPhone, isUnderWay, takenBy, untriedProviders } from './deliveries.ts';
import { isRejected } from './operator-actions.ts';
import { consequencesOfReceipt, type UndeliveredPolicy } from './outcome.ts';
import { type Attempt, change, type Delivery, isOpen, type Payment } from './payment.ts';
import { isExpired } from './retry-policy.ts';
import { writeNow } from './time.ts';

/** The history of an attempt is bounded, because a provider may contradict itself for ever. One place is kept for `delivered`. */
const maxDeliveries = 20;

/**
 * Applies a provider's receipt to the attempt that it is about: the attempt keeps its outcome, unless that was unknown, and gets
 * a delivery. The same payment is returned if the receipt changes nothing, undefined if there is no such attempt.
 */
export function applyReceipt(
  payment: Payment,
  receipt: Receipt,
  undelivered: UndeliveredPolicy,
): Payment | undefined {
  const index = payment.attempts.findIndex((_, at) => attemptKey(payment, at) === receipt.idempotency_key);
  const attempt = payment.attempts[index];
  if (attempt?.provider !== receipt.provider) return undefined;
  if (attempt.message_id !== null && attempt.message_id !== receipt.message_id) return undefined;

  const delivery = deliveryBy(receipt);
  if (!isNews(attempt, delivery)) return payment;
  // The provider has accepted what it reports on.
  const { message_id } = receipt;
  const known =
    attempt.outcome === 'unknown'
      ? settleAttempt(payment, index, { outcome: 'accepted', message_id })
      : payment;
  const reported = { ...(known.attempts[index] as Attempt), message_id };
  const deliveries = [...reported.deliveries, delivery];
  const attempts = known.attempts.with(index, { ...reported, deliveries });
  const next = change(known, { attempts });
  if (!isUnderWay(reported) && delivery.status !== 'delivered') return next;
  const ended = { ...next, ...statusAfter(next, payment, delivery, { index, undelivered }) };
  return ended.notification_status === 'sent' ? ended : { ...ended, ask_at: null };
}

const deliveryBy = ({ status, reason, at }: Receipt): Delivery => ({
  status,
  reason: status === 'delivered' ? null : (reason ?? status),
  at: at ?? writeNow(),
});

function isNews({ deliveries }: Attempt, { status, reason }: Delivery): boolean {
  if (deliveries.some((known) => known.status === status && known.reason === reason)) return false;
  return status === 'delivered' || deliveries.length < maxDeliveries - 1;
}

type Status = Partial<
  Pick<Payment, 'notification_service' | 'notification_status' | 'reason' | 'next_attempt_at'>
>;

function statusAfter(
  payment: Payment,
  before: Payment,
  { status, reason }: Delivery,
  { index, undelivered }: { index: number; undelivered: UndeliveredPolicy },
): Status {
  const { attempts } = payment;
  if (attempts.some(isDelivered)) {
    const notification_service = takenBy(attempts);
    return { notification_service, notification_status: 'delivered', reason: null, next_attempt_at: null };
  }
  // Another attempt may still reach the customer.
  if (attempts.some(isUnderWay)) return {};
  // The notification had ended, also if it was not known then that a provider had accepted the SMS.
  if (!isOpen(before) && before.notification_status !== 'sent')
    return { notification_status: before.notification_status, reason: before.reason };
  if (isOpen(before) && isToFormerPhone(before, index)) return statusOf(before);
  const failed: Status = { notification_status: 'failed', reason, next_attempt_at: null };
  const next = consequencesOfReceipt(status, undelivered);
  if (next !== 'pending' || !mayBeSentAgain(payment)) return failed;
  return { notification_status: 'pending', reason: null, next_attempt_at: writeNow() };
}

const statusOf = ({ notification_status, reason, next_attempt_at }: Payment): Status => ({
  notification_status,
  reason,
  next_attempt_at,
});

/**
 * By a provider that has not failed to deliver it, so that there is one crossing at most. Not to a phone that was rejected: a resend
 * leaves what was sent before to another phone as it is.
 */
const mayBeSentAgain = (payment: Payment): boolean =>
  payment.message !== null &&
  !isExpired(payment) &&
  !isRejected(payment) &&
  untriedProviders(payment).length > 0;
