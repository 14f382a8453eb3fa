import type { FastifyBaseLogger } from 'fastify';
import { inSpan, resumeCorrelation } from 'service-kit/telemetry/correlation.ts';
import { askedProvider, settleAttempt } from '../domain/attempts.ts';
import type { Payment, PaymentObserver } from '../domain/payment.ts';
import {
  expire,
  hold,
  isExpired,
  postpone,
  type RetryPolicy,
  scheduleRetry,
} from '../domain/retry-policy.ts';
import { type KeptAnswer, LeaseLost, type Store } from '../store/store.ts';
import type { Notifier } from './notifier.ts';

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
   * it has expired, the policy holds it, or the process is stopping: then it is given back, due as before.
   *
   * @throws LeaseLost, StoreUnavailable
   */
  resume(claimed: Payment, log: FastifyBaseLogger, stopping: AbortSignal): Promise<Payment>;
  /**
   * As `resume`, but a person wants it sent: what is not found to have been sent is opened anew and tried; or it stays as
   * it is, where `reopen` gives undefined.
   *
   * @throws LeaseLost, StoreUnavailable
   */
  retry(claimed: Payment, reopen: Reopen, log: FastifyBaseLogger): Promise<Payment>;
  /** Resolves when nothing is under way any more, whoever waits for it or has hung up. */
  drain(): Promise<void>;
}

export type Reopen = (known: Payment) => Payment | undefined;

export interface DeliveryOptions {
  store: Store;
  notifier: Notifier;
  policy: RetryPolicy;
  onChange?: PaymentObserver;
}

export function createDelivery({ store, notifier, policy, onChange = () => {} }: DeliveryOptions): Delivery {
  async function save(payment: Payment, before: Payment, answer?: KeptAnswer): Promise<void> {
    await store.update(payment, answer, before);
    onChange(payment, before);
  }

  async function round(
    payment: Payment,
    log: FastifyBaseLogger,
    answer?: (payment: Payment) => KeptAnswer,
  ): Promise<Payment> {
    const started = performance.now();
    let current = payment;
    try {
      const notified = await notifier.notify(payment, async (next) => {
        await save(next, current);
        current = next;
      });
      current = scheduleRetry(notified, policy, notifier.availableAt());
      await save(current, payment, answer?.(current));
    } catch (err) {
      // What is on record is an attempt without an outcome: one that may have happened.
      if (err instanceof LeaseLost)
        log.warn({ payment_id: payment.payment_id }, 'somebody else has taken this notification on');
      else log.error({ err, payment_id: payment.payment_id }, 'an outcome could not be recorded');
    }
    logPayment(log, current, performance.now() - started);
    return current;
  }

  /** What a person has had sent again is not held for what was unknown before. */
  const isHeldBack = ({ notification, reopened }: Payment) =>
    policy.unknownOutcome === 'hold' &&
    notification.attempts.slice(reopened).some(({ outcome }) => outcome === 'unknown');

  async function end(payment: Payment, before: Payment, log: FastifyBaseLogger): Promise<Payment> {
    await save(payment, before);
    logPayment(log, payment, 0);
    return payment;
  }

  async function tryAgain(payment: Payment, before: Payment, log: FastifyBaseLogger): Promise<Payment> {
    const begun = notifier.begin(payment);
    if (askedProvider(begun)) {
      await save(begun, before);
      return round(begun, log);
    }
    // Nobody can be asked: no attempt is spent, and none is put down.
    const postponed = postpone(payment, notifier.availableAt());
    await save(postponed, before);
    return postponed;
  }

  async function resume(claimed: Payment, log: FastifyBaseLogger, stopping: AbortSignal): Promise<Payment> {
    const interrupted = endInterrupted(claimed);
    if (stopping.aborted && interrupted.notification_status === 'pending')
      return giveBack(interrupted, claimed);
    const known = await notifier.settleUnknown(interrupted);
    if (known.notification_status !== 'pending') return end(known, claimed, log);
    if (isExpired(known)) return end(expire(known), claimed, log);
    if (isHeldBack(known)) return end(hold(known), claimed, log);
    return stopping.aborted ? giveBack(known, claimed) : tryAgain(known, claimed, log);
  }

  async function giveBack(payment: Payment, before: Payment): Promise<Payment> {
    const due = postpone(payment, Date.now());
    await store.update(due, undefined, before);
    return due;
  }

  async function retry(claimed: Payment, reopen: Reopen, log: FastifyBaseLogger): Promise<Payment> {
    const known = await notifier.settleUnknown(claimed);
    const reopened = known.notification_service === null ? reopen(known) : undefined;
    return reopened ? tryAgain(reopened, claimed, log) : end(known, claimed, log);
  }

  const underWay = new Set<Promise<unknown>>();
  function track<T>(work: Promise<T>): Promise<T> {
    underWay.add(work);
    const done = () => underWay.delete(work);
    work.then(done, done);
    return work;
  }

  return {
    begin(payment) {
      const begun = notifier.begin(payment);
      return askedProvider(begun) ? begun : postpone(begun, notifier.availableAt());
    },

    round: (...args) => track(asSpan('notify', args[0], () => round(...args))),
    resume: (...args) =>
      track(resumeCorrelation(args[0], () => asSpan('resume', args[0], () => resume(...args)))),
    retry: (...args) => track(retry(...args)),

    async drain() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

const asSpan = (name: string, { payment_id }: Payment, work: () => Promise<Payment>) =>
  inSpan(name, { attributes: { payment_id } }, async (span) => {
    const payment = await work();
    span.setAttribute('notification_status', payment.notification_status);
    return payment;
  });

/** An attempt that still runs when its lease has run out was cut short: by a crash, or by being too slow. */
function endInterrupted(payment: Payment): Payment {
  if (!askedProvider(payment)) return payment;
  // How long it took is not known either.
  const index = payment.notification.attempts.length - 1;
  return settleAttempt(payment, index, { outcome: 'unknown', reason: 'interrupted' });
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
    'notification handled',
  );
}
