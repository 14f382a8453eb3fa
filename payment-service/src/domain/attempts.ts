import type { Outcome, Provider, Receipt } from 'service-kit/contract/notification.ts';
import { consequencesOf } from './outcome.ts';
import { type Attempt, type Payment, withNotification } from './payment.ts';

/** The way of a notification through its attempts: each function takes a payment and makes the next one of it. */

export function startAttempt(payment: Payment, provider: Provider): Payment {
  return withNotification(payment, {
    next_attempt_at: null,
    reason: null,
    attempts: [
      ...payment.notification.attempts,
      {
        provider,
        outcome: null,
        reason: null,
        message_id: null,
        started_at: new Date().toISOString(),
        duration_ms: null,
      },
    ],
  });
}

/** Ends the attempt that runs: the last one. */
export function endAttempt(payment: Payment, outcome: Outcome, durationMs: number): Payment {
  return settleAttempt(payment, payment.notification.attempts.length - 1, outcome, Math.round(durationMs));
}

/** Puts down what is known of an attempt, and how the notification stands with it. */
export function settleAttempt(
  payment: Payment,
  index: number,
  outcome: Outcome,
  durationMs?: number,
): Payment {
  const attempt = payment.notification.attempts[index];
  if (!attempt) throw new Error(`${payment.payment_id} has no attempt ${index}`);
  const attempts = payment.notification.attempts.with(index, {
    ...attempt,
    outcome: outcome.outcome,
    reason: wasResent(payment, index) ? (reasonOf(outcome) ?? attempt.reason) : reasonOf(outcome),
    message_id: outcome.outcome === 'accepted' ? outcome.message_id : null,
    duration_ms: durationMs ?? attempt.duration_ms,
  });
  // What one provider has taken stays taken, whatever becomes known of another attempt.
  const taken = attempts.find((other) => other.outcome === 'accepted');
  // And a no of one stays a no, when another turns out not to have been sent.
  const isRefused = payment.notification_status === 'failed';
  const status = taken ? 'sent' : isRefused ? 'failed' : consequencesOf(outcome).status;
  const reason = isRefused ? payment.notification.reason : reasonOf(outcome);
  return {
    ...withNotification(payment, {
      attempts,
      reason: status === 'failed' ? reason : null,
      next_attempt_at: status === 'pending' ? payment.notification.next_attempt_at : null,
    }),
    notification_status: status,
    notification_service: taken?.provider ?? null,
  };
}

/** That nobody knew what came of it is why another one was made: it stays on record, whatever becomes known. */
const wasResent = ({ notification: { attempts } }: Payment, index: number) =>
  attempts[index]?.outcome === 'unknown' && index < attempts.length - 1;

/**
 * Puts down what a provider reports of the SMS of an attempt. A notification moves only forward: the payment is the same
 * where the report is no news. Undefined if there is no such attempt.
 */
export function applyReceipt(payment: Payment, receipt: Receipt): Payment | undefined {
  const { attempts } = payment.notification;
  const index = attempts.findIndex((_, at) => attemptKey(payment, at) === receipt.idempotency_key);
  const attempt = attempts[index];
  if (attempt?.provider !== receipt.provider) return undefined;
  if (attempt.message_id !== null && attempt.message_id !== receipt.message_id) return undefined;

  const hasFailed = attempt.message_id !== null && attempt.outcome !== 'accepted';
  if (payment.notification_status === 'delivered' || hasFailed) return payment;
  const { message_id, reason } = receipt;
  if (receipt.status === 'delivered') {
    return {
      ...settleAttempt(payment, index, { outcome: 'accepted', message_id }),
      notification_status: 'delivered',
    };
  }
  const why = reason ?? 'undelivered';
  const outcome = receipt.status === 'rejected' ? 'rejected' : 'not_sent';
  const settled = settleAttempt(payment, index, { outcome, reason: why });
  const failed = withNotification(settled, {
    attempts: settled.notification.attempts.with(index, {
      ...(settled.notification.attempts[index] as Attempt),
      message_id,
    }),
  });
  // The provider has tried; another SMS is for a person to decide.
  return failed.notification_status === 'sent'
    ? failed
    : {
        ...withNotification(failed, { reason: failed.notification.reason ?? why, next_attempt_at: null }),
        notification_status: 'failed',
      };
}

export function lastAttempt({ notification, payment_id }: Payment): Attempt {
  const attempt = notification.attempts.at(-1);
  if (!attempt) throw new Error(`${payment_id} has no attempt`);
  return attempt;
}

/** The provider that is being asked now, if one is. */
export function askedProvider({ notification }: Payment): Provider | undefined {
  const attempt = notification.attempts.at(-1);
  return attempt?.outcome === null ? attempt.provider : undefined;
}

/** Names an attempt, so that a provider service can tell a repeated call from a new attempt. */
export function attemptKey({ payment_id }: Payment, index: number): string {
  return `${payment_id}-${index + 1}`;
}

export function reasonOf(outcome: Outcome): string | null {
  return outcome.outcome === 'accepted' ? null : outcome.reason;
}
