import { askedProvider } from './attempts.ts';
import type { UnknownOutcomePolicy } from './outcome.ts';
import { type Payment, withNotification } from './payment.ts';

/** When a notification that nobody has taken is tried again, and when it is given up. Durations are milliseconds. */
export interface RetryPolicy {
  baseMs: number;
  maxMs: number;
  /** How long after the payment its notification is still worth sending. */
  ttlMs: number;
  unknownOutcome: UnknownOutcomePolicy;
}

/**
 * After a round of the providers: if nobody has taken the notification, when to try again. Exponential backoff with full
 * jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that what failed together does
 * not come back together; not before `notBefore`, in ms since the epoch.
 */
export function scheduleRetry(
  payment: Payment,
  { baseMs, maxMs }: RetryPolicy,
  notBefore: number,
  random: () => number = Math.random,
): Payment {
  if (payment.notification_status !== 'pending') return payment;
  const backoff = random() * Math.min(maxMs, baseMs * 2 ** payment.retries);
  const at = Math.max(Date.now() + backoff, notBefore);
  return {
    ...withNotification(payment, { next_attempt_at: new Date(at).toISOString() }),
    retries: payment.retries + 1,
  };
}

/** Nobody could be asked: no retry is spent. */
export function postpone(payment: Payment, until: number): Payment {
  return withNotification(payment, { next_attempt_at: new Date(until).toISOString() });
}

export function expire(payment: Payment): Payment {
  return {
    ...withNotification(payment, { reason: 'expired', next_attempt_at: null }),
    notification_status: 'failed',
  };
}

export const isExpired = ({ expires_at }: Payment) => Date.parse(expires_at) <= Date.now();

/** Nobody tries again until a person says so. */
export function hold(payment: Payment): Payment {
  return withNotification(payment, { reason: 'unknown_outcome', next_attempt_at: null });
}

export const isHeld = (payment: Payment) =>
  payment.notification_status === 'pending' &&
  payment.notification.next_attempt_at === null &&
  askedProvider(payment) === undefined;

/**
 * When the outbox is to look at a notification, in ms since the epoch: when the lease of whoever handles it runs out,
 * when the next attempt is due, or when it expires; null if it has come to its end.
 */
export function dueAt(payment: Payment, leaseMs: number): number | null {
  if (askedProvider(payment)) return Date.now() + leaseMs;
  if (payment.notification_status !== 'pending') return null;
  const { next_attempt_at } = payment.notification;
  const expiry = Date.parse(payment.expires_at);
  return next_attempt_at === null ? expiry : Math.min(Date.parse(next_attempt_at), expiry);
}
