import type { FastifyBaseLogger } from 'fastify';
import { askedProvider, endAttempt } from './attempts.ts';
import type { Notifier } from './notifier.ts';
import type { Payment } from './payment.ts';
import { expire, hold, isExpired, postpone, type RetryPolicy, scheduleRetry } from './retry-policy.ts';
import { type KeptAnswer, LeaseLost, type Store } from './store/store.ts';

/** Gets a notification on its way, and puts down what came of it. */
export interface Delivery {
  /** A new payment with its first attempt; nothing is saved and nothing is called yet. */
  begin(payment: Payment): Payment;
  /**
   * Makes the attempt that was begun and saved, another one through the other provider if it comes to that, and saves
   * the end. The payment is on disk, so whatever fails now is no failure of the payment: this never rejects.
   */
  round(
    payment: Payment,
    log: FastifyBaseLogger,
    answer?: (payment: Payment) => KeptAnswer,
  ): Promise<Payment>;
  /**
   * Takes on a notification that was claimed: finds out about attempts whose outcome is unknown, and tries again, unless
   * it has expired or the policy holds it.
   *
   * @throws LeaseLost, StoreUnavailable
   */
  resume(claimed: Payment, log: FastifyBaseLogger): Promise<Payment>;
  /**
   * As `resume`, but a person wants it sent: what is not found to have been sent is opened anew before it is tried, and
   * is not held.
   *
   * @throws LeaseLost, StoreUnavailable
   */
  retry(claimed: Payment, reopen: (payment: Payment) => Payment, log: FastifyBaseLogger): Promise<Payment>;
}

export interface DeliveryOptions {
  store: Store;
  notifier: Notifier;
  policy: RetryPolicy;
}

export function createDelivery({ store, notifier, policy }: DeliveryOptions): Delivery {
  async function round(
    payment: Payment,
    log: FastifyBaseLogger,
    answer?: (payment: Payment) => KeptAnswer,
  ): Promise<Payment> {
    const started = performance.now();
    let current = payment;
    try {
      const notified = await notifier.notify(payment, async (next) => {
        await store.update(next);
        current = next;
      });
      current = scheduleRetry(notified, policy, notifier.availableAt());
      await store.update(current, answer?.(current));
    } catch (err) {
      // What is on record is an attempt without an outcome: one that may have happened.
      if (err instanceof LeaseLost)
        log.warn({ payment_id: payment.payment_id }, 'somebody else has taken this notification on');
      else log.error({ err, payment_id: payment.payment_id }, 'an outcome could not be recorded');
    }
    logPayment(log, current, performance.now() - started);
    return current;
  }

  const isHeldBack = ({ notification }: Payment) =>
    policy.unknownOutcome === 'hold' && notification.attempts.some(({ outcome }) => outcome === 'unknown');

  async function end(payment: Payment, log: FastifyBaseLogger): Promise<Payment> {
    await store.update(payment);
    logPayment(log, payment, 0);
    return payment;
  }

  async function tryAgain(payment: Payment, log: FastifyBaseLogger): Promise<Payment> {
    const begun = notifier.begin(payment);
    if (askedProvider(begun)) {
      await store.update(begun);
      return round(begun, log);
    }
    // Nobody can be asked: no attempt is spent, and none is put down.
    const postponed = postpone(payment, notifier.availableAt());
    await store.update(postponed);
    return postponed;
  }

  return {
    begin(payment) {
      const begun = notifier.begin(payment);
      return askedProvider(begun) ? begun : postpone(begun, notifier.availableAt());
    },

    round,

    async resume(claimed, log) {
      const known = await notifier.settleUnknown(endInterrupted(claimed));
      if (known.notification_status !== 'pending') return end(known, log);
      if (isExpired(known)) return end(expire(known), log);
      if (isHeldBack(known)) return end(hold(known), log);
      return tryAgain(known, log);
    },

    async retry(claimed, reopen, log) {
      const known = await notifier.settleUnknown(claimed);
      return known.notification_service === null ? tryAgain(reopen(known), log) : end(known, log);
    },
  };
}

/** An attempt that still runs when its lease has run out was cut short: by a crash, or by being too slow. */
function endInterrupted(payment: Payment): Payment {
  if (!askedProvider(payment)) return payment;
  const started = Date.parse(payment.notification.attempts.at(-1)?.started_at ?? '');
  return endAttempt(payment, { outcome: 'unknown', reason: 'interrupted' }, Date.now() - started);
}

/** One line for each round: who handled it, with what outcome, how long it took, and the attempts that say why. */
export function logPayment(log: FastifyBaseLogger, payment: Payment, durationMs: number): void {
  const { attempts, reason, next_attempt_at } = payment.notification;
  log.info(
    {
      payment_id: payment.payment_id,
      provider: payment.notification_service,
      outcome: attempts.at(-1)?.outcome,
      reason: reason ?? attempts.at(-1)?.reason,
      duration_ms: Math.round(durationMs),
      notification_status: payment.notification_status,
      next_attempt_at,
      attempts,
    },
    'payment notified',
  );
}
