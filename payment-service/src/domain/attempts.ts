import type { Outcome, Provider } from 'service-kit/contract/notification.ts';
import { isDelivered, isToFormerPhone, isUnderWay, takenBy } from './deliveries.ts';
import { consequencesOf } from './outcome.ts';
import { type Attempt, isTaken, type Payment } from './payment.ts';
import { writeNow } from './time.ts';

/** The attempts of a notification: each function takes a payment and returns the next version of it. */

/** A notification that is sent again, although an SMS of it was accepted, keeps its status. */
export function startAttempt(payment: Payment, provider: Provider): Payment {
  const started_at = writeNow();
  const attempt: Attempt = {
    provider,
    outcome: null,
    reason: null,
    message_id: null,
    started_at,
    duration_ms: null,
    mode: null,
    phone_last4: null,
    deliveries: [],
  };
  return {
    ...payment,
    notification_status: isTaken(payment) ? payment.notification_status : 'pending',
    next_attempt_at: null,
    reason: isTaken(payment) ? payment.reason : null,
    updated_at: started_at,
    attempts: [...payment.attempts, attempt],
  };
}

/** Ends the running attempt, which is the last one. */
export function endAttempt(payment: Payment, outcome: Outcome, durationMs: number): Payment {
  return settleAttempt(payment, payment.attempts.length - 1, outcome, Math.round(durationMs));
}

/** Records the outcome of an attempt, and the notification status that follows from all attempts. */
export function settleAttempt(
  payment: Payment,
  index: number,
  outcome: Outcome,
  durationMs?: number,
): Payment {
  const attempt = payment.attempts[index];
  if (!attempt) throw new Error(`${payment.payment_id} has no attempt ${index}`);
  const attempts = payment.attempts.with(index, {
    ...attempt,
    outcome: outcome.outcome,
    reason: wasResent(payment, index) ? (reasonOf(outcome) ?? attempt.reason) : reasonOf(outcome),
    message_id: outcome.outcome === 'accepted' ? outcome.message_id : null,
    duration_ms: durationMs ?? attempt.duration_ms,
    mode: outcome.mode ?? attempt.mode,
    phone_last4: attempt.phone_last4 ?? payment.phone?.slice(-4) ?? null,
  });
  const { notification_status, notification_service, reason, next_attempt_at } = settledStatus(
    payment,
    attempts,
    outcome,
    index,
  );
  // Written out, because a second spread takes 2 µs, and each payment is settled.
  return {
    ...payment,
    notification_status,
    notification_service,
    reason,
    next_attempt_at,
    attempts,
    updated_at: writeNow(),
  };
}

/** An attempt that still runs when its lease has expired, or is taken over, was interrupted; its duration is unknown, too. */
export function endInterrupted(payment: Payment): Payment {
  if (!askedProvider(payment)) return payment;
  return settleAttempt(payment, payment.attempts.length - 1, { outcome: 'unknown', reason: 'interrupted' });
}

type Status = Pick<Payment, 'notification_status' | 'notification_service' | 'reason' | 'next_attempt_at'>;

/** The notification status once the outcome of one of the attempts is known. */
function settledStatus(payment: Payment, attempts: Attempt[], outcome: Outcome, index: number): Status {
  const { notification_status, reason, next_attempt_at } = payment;
  const notification_service = takenBy(attempts);
  const ended = { notification_service, reason: null, next_attempt_at: null };
  if (attempts.some(isDelivered)) return { ...ended, notification_status: 'delivered' };
  // An accepted SMS stays accepted, whatever becomes known of another attempt.
  if (attempts.some(isUnderWay)) {
    const staysSent = notification_status === 'sent' && outcome.outcome !== 'accepted';
    return { ...ended, notification_status: 'sent', reason: staysSent ? reason : null };
  }
  // A rejection is final, also if another attempt turns out not to have been sent. So is what an operator has cancelled.
  if (notification_status === 'failed' || notification_status === 'cancelled')
    return { ...ended, notification_status, reason };
  if (isToFormerPhone(payment, index))
    return { notification_status: 'pending', notification_service, reason: null, next_attempt_at };
  // A phone may still become known. A provider service reports it whose mode was not known before.
  if (reasonOf(outcome) === 'phone_unknown')
    return { ...ended, notification_status: 'held', reason: 'phone_unknown' };
  const { status } = consequencesOf(outcome);
  if (status === 'failed') return { ...ended, notification_status: status, reason: reasonOf(outcome) };
  return { notification_status: 'pending', notification_service, reason: null, next_attempt_at };
}

/** The unknown outcome of this attempt is why another one was made, so its reason is not overwritten. */
const wasResent = ({ attempts }: Payment, index: number) =>
  attempts[index]?.outcome === 'unknown' && index < attempts.length - 1;

export function lastAttempt({ attempts, payment_id }: Payment): Attempt {
  const attempt = attempts.at(-1);
  if (!attempt) throw new Error(`${payment_id} has no attempt`);
  return attempt;
}

/** The provider of the running attempt; undefined if none runs. */
export function askedProvider({ attempts }: Payment): Provider | undefined {
  const attempt = attempts.at(-1);
  return attempt?.outcome === null ? attempt.provider : undefined;
}

/** The idempotency key of an attempt: a provider service tells a repeated call from a new attempt by it. */
export function attemptKey({ payment_id }: Payment, index: number): string {
  return `${payment_id}-${index + 1}`;
}

export function reasonOf(outcome: Outcome): string | null {
  return outcome.outcome === 'accepted' ? null : outcome.reason;
}
