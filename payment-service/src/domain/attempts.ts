import type { Outcome, Provider, Receipt } from 'service-kit/contract/notification.ts';
import { consequencesOf } from './outcome.ts';
import type { Attempt, Payment } from './payment.ts';

/** The attempts of a notification: each function takes a payment and returns the next version of it. */

export function startAttempt(payment: Payment, provider: Provider): Payment {
  const attempt: Attempt = {
    provider,
    outcome: null,
    reason: null,
    message_id: null,
    started_at: new Date().toISOString(),
    duration_ms: null,
    mode: null,
  };
  return { ...payment, next_attempt_at: null, reason: null, attempts: [...payment.attempts, attempt] };
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
  });
  // An accepted SMS stays accepted, whatever becomes known of another attempt.
  const accepted = attempts.find((other) => other.outcome === 'accepted');
  // A rejection is final, also if another attempt turns out not to have been sent.
  const isRefused = payment.notification_status === 'failed';
  const status = accepted ? 'sent' : isRefused ? 'failed' : consequencesOf(outcome).status;
  const reason = isRefused ? payment.reason : reasonOf(outcome);
  return {
    ...payment,
    attempts,
    reason: status === 'failed' ? reason : null,
    next_attempt_at: status === 'pending' ? payment.next_attempt_at : null,
    notification_status: status,
    notification_service: accepted?.provider ?? null,
  };
}

/** The unknown outcome of this attempt is why another one was made, so its reason is not overwritten. */
const wasResent = ({ attempts }: Payment, index: number) =>
  attempts[index]?.outcome === 'unknown' && index < attempts.length - 1;

/**
 * Applies a provider's receipt to the attempt that it is about. A notification only moves forward: the same payment is
 * returned if the receipt changes nothing, undefined if there is no such attempt.
 */
export function applyReceipt(payment: Payment, receipt: Receipt): Payment | undefined {
  const { attempts } = payment;
  const index = attempts.findIndex((_, at) => attemptKey(payment, at) === receipt.idempotency_key);
  const attempt = attempts[index];
  if (attempt?.provider !== receipt.provider) return undefined;
  if (attempt.message_id !== null && attempt.message_id !== receipt.message_id) return undefined;

  const hasFailed = attempt.message_id !== null && attempt.outcome !== 'accepted';
  if (payment.notification_status === 'delivered' || hasFailed) return payment;
  return receipt.status === 'delivered'
    ? applyDelivered(payment, index, receipt)
    : applyUndelivered(payment, index, receipt);
}

const applyDelivered = (payment: Payment, index: number, { message_id }: Receipt): Payment => ({
  ...settleAttempt(payment, index, { outcome: 'accepted', message_id }),
  notification_status: 'delivered',
});

function applyUndelivered(payment: Payment, index: number, receipt: Receipt): Payment {
  const reason = receipt.reason ?? 'undelivered';
  const outcome = receipt.status === 'rejected' ? 'rejected' : 'not_sent';
  const settled = settleAttempt(payment, index, { outcome, reason });
  const attempt = { ...(settled.attempts[index] as Attempt), message_id: receipt.message_id };
  const undelivered = { ...settled, attempts: settled.attempts.with(index, attempt) };
  if (undelivered.notification_status === 'sent') return undelivered; // by another attempt
  // The provider has tried, so that another SMS is for a person to decide.
  return {
    ...undelivered,
    reason: undelivered.reason ?? reason,
    next_attempt_at: null,
    notification_status: 'failed',
  };
}

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
