import { askedProvider } from './attempts.ts';
import { type Precondition, waitsForPrecondition } from './bounds.ts';
import type { UndeliveredPolicy, UnknownOutcomePolicy } from './outcome.ts';
import { change, isOpen, type Payment } from './payment.ts';

/** When a notification that no provider has accepted is tried again, and when it fails. Durations are milliseconds. */
export interface RetryPolicy {
  baseMs: number;
  maxMs: number;
  /** How long after the payment its notification is worth sending. */
  ttlMs: number;
  unknownOutcome: UnknownOutcomePolicy;
  undelivered: UndeliveredPolicy;
  /** After this time without a receipt the provider is asked what became of the SMS. */
  receiptTimeoutMs: number;
  /** How long a provider that cannot answer for an unknown outcome is asked again before the SMS is sent again. */
  patienceMs: number;
}

/**
 * The longest time, in ms, until a notification is looked at again, whatever it waits for: a longer pause of a provider could
 * end sooner than it looks, and the wall clock by which it is due could be wrong. At least the second after which a half-open
 * circuit is looked at.
 */
export const longestWaitMs = ({ maxMs }: Pick<RetryPolicy, 'maxMs'>): number => Math.max(maxMs, 1000);

/**
 * Schedules the next attempt after a round in which no provider has accepted the notification. Exponential backoff with full
 * jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that payments which failed together
 * are not retried together; not before a provider is available, in `availableInMs`, as far as that is within the longest wait.
 * A precondition that kept the round from failing over has scheduled it.
 */
export function scheduleRetry(
  payment: Payment,
  policy: RetryPolicy,
  availableInMs: number,
  random: () => number = Math.random,
): Payment {
  if (!isOpen(payment)) return payment;
  const retries = payment.retries + 1;
  if (waitsForPrecondition(payment)) return { ...payment, retries };
  const backoff = random() * Math.min(policy.maxMs, policy.baseMs * 2 ** payment.retries);
  return { ...postpone(payment, policy, Math.max(backoff, availableInMs)), retries };
}

/** Schedules the next attempt in `waitMs`, or after the longest wait, without counting a retry: no provider was called. */
export function postpone(payment: Payment, policy: Pick<RetryPolicy, 'maxMs'>, waitMs: number): Payment {
  const at = Math.ceil(Date.now() + Math.min(waitMs, longestWaitMs(policy)));
  return change(payment, { next_attempt_at: new Date(at).toISOString() });
}

/** The notification is held for `waitMs`, or the longest wait. */
export const waitForPrecondition = (
  payment: Payment,
  reason: Precondition,
  policy: Pick<RetryPolicy, 'maxMs'>,
  waitMs: number,
): Payment => ({ ...postpone(payment, policy, waitMs), notification_status: 'held', reason });

/** A precondition that the notification waited for to the end stays its reason. */
export function expire(payment: Payment): Payment {
  const reason = waitsForPrecondition(payment) ? payment.reason : 'expired';
  return change(payment, { reason, next_attempt_at: null, notification_status: 'failed' });
}

export const isExpired = ({ expires_at }: Payment) => Date.parse(expires_at) <= Date.now();

/**
 * How long the notification is worth delivering, in seconds, rounded up; at least 1. A wall clock that was set ahead by
 * `clockAheadMs` shortens nothing.
 */
export const secondsLeft = ({ expires_at }: Payment, clockAheadMs: number): number =>
  Math.max(1, Math.ceil((Date.parse(expires_at) - Date.now() + Math.max(0, clockAheadMs)) / 1000));

/** No attempt is made until a person retries the notification. */
export function hold(payment: Payment): Payment {
  return change(payment, { notification_status: 'held', reason: 'unknown_outcome', next_attempt_at: null });
}

/**
 * When the outbox claims a notification, in ms since the epoch: when its lease expires, when its next attempt is due, or when
 * it expires; null if it has ended.
 */
export function dueAt(payment: Payment, leaseMs: number): number | null {
  if (askedProvider(payment)) return Date.now() + leaseMs;
  if (!isOpen(payment)) return null;
  const expiry = Date.parse(payment.expires_at);
  return payment.next_attempt_at === null ? expiry : Math.min(Date.parse(payment.next_attempt_at), expiry);
}
