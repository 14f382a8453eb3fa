import type { FastifyBaseLogger } from 'fastify';
import { inSpan, resumeCorrelation } from 'service-kit/telemetry/correlation.ts';
import type { StoredAction } from '../domain/actions.ts';
import { askedProvider, endInterrupted } from '../domain/attempts.ts';
import { cancel as cancelNotification } from '../domain/operator-actions.ts';
import { isOpen, type Payment, type PaymentObserver } from '../domain/payment.ts';
import { expire, hold, isExpired, postpone, type RetryPolicy } from '../domain/retry-policy.ts';
import { suppress } from '../domain/suppression.ts';
import { type Claimed, RecipientSuppressed, type Store } from '../store/store.ts';
import type { Bounds } from './bounds.ts';
import type { ClockWatch } from './clock-watch.ts';
import { logPayment } from './log-payment.ts';
import type { Notifier, Settled } from './notifier.ts';
import { askAgainMs, createPatience } from './patience.ts';
import { createResendRound, type ResendRound } from './resend-round.ts';
import { createRound, createSave, type Round } from './round.ts';
import { createTracker } from './tracker.ts';

/** Gets a notification to its end, and records each step. */
export interface Delivery {
  /** Adds the first attempt to a new payment; nothing is stored and no provider is called yet. */
  begin(payment: Payment): Payment;
  round: Round;
  /**
   * Works on a claimed notification: asks the providers about attempts whose outcome is unknown, then tries again, unless one
   * of them cannot answer yet, its phone is suppressed, it has expired, the policy holds it, or the process is stopping. A
   * process that is stopping releases the claim, so that the notification is due at once. It does not expire by a wall clock that
   * was just set ahead.
   *
   * @throws LeaseLost, StoreUnavailable
   */
  resume(claimed: Claimed, log: FastifyBaseLogger, stopping: AbortSignal): Promise<Payment>;
  resend: ResendRound;
  /**
   * Cancels a notification that was seized, also one whose attempt runs: the providers are asked about attempts whose outcome is
   * unknown, which cancels a call that has not arrived. It is not cancelled if one turns out to have accepted or rejected the SMS.
   *
   * @throws LeaseLost, StoreUnavailable
   */
  cancel(seized: Payment, action: StoredAction, log: FastifyBaseLogger): Promise<Payment>;
  /** Resolves when no round is under way any more, also of clients that have disconnected. */
  drain(): Promise<void>;
}

export interface DeliveryOptions {
  store: Store;
  notifier: Notifier;
  policy: RetryPolicy;
  clock: Pick<ClockWatch, 'mayExpire'>;
  bounds?: Pick<Bounds, 'admit'>;
  onChange?: PaymentObserver;
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { store, notifier, policy, clock, bounds, onChange = () => {} } = options;
  const { track, drain } = createTracker();
  const save = createSave(store, onChange);
  const round = createRound({ store, notifier, policy, save });
  const patience = createPatience(policy.patienceMs);
  const resend = createResendRound({ notifier, policy, bounds, round, mayBeAnswered, record });

  async function resume(claimed: Claimed, log: FastifyBaseLogger, stopping: AbortSignal): Promise<Payment> {
    const interrupted = endInterrupted(claimed);
    if (stopping.aborted && isOpen(interrupted)) return release(interrupted, claimed);
    const settled = await notifier.settleUnknown(interrupted);
    const known = settled.payment;
    if (!isOpen(known)) return end(known, claimed, log);
    if (isExpired(known)) return resumeExpired(settled, claimed, log, stopping);
    return mayBeAnswered(settled) ? askAgain(known, claimed) : goOn(known, claimed, log, stopping);
  }

  /** What looks expired is due at once, whatever is recorded: until it ends it is left to its lease, or leased again. */
  async function resumeExpired(
    settled: Settled,
    claimed: Claimed,
    log: FastifyBaseLogger,
    stopping: AbortSignal,
  ): Promise<Payment> {
    const { payment } = settled;
    if (mayBeAnswered(settled)) return claimed;
    if (clock.mayExpire()) return end(expire(payment), claimed, log);
    if (isHeldBack(payment, policy)) return claimed;
    const tried = await goOn(payment, claimed, log, stopping);
    return isWaiting(tried) ? store.claim(tried) : tried;
  }

  async function goOn(
    payment: Payment,
    before: Claimed,
    log: FastifyBaseLogger,
    stopping: AbortSignal,
  ): Promise<Payment> {
    if (before.suppressed) return end(suppress(payment), before, log);
    if (isHeldBack(payment, policy)) return end(hold(payment), before, log);
    return stopping.aborted ? release(payment, before) : tryAgain(payment, before, log);
  }

  async function cancel(seized: Payment, action: StoredAction, log: FastifyBaseLogger): Promise<Payment> {
    const { payment } = await notifier.settleUnknown(endInterrupted(seized));
    return end(isOpen(payment) ? cancelNotification(payment, 'by_hand', action) : payment, seized, log);
  }

  /** An answer may spare the customer a second SMS, so it is waited for; not for ever, because it may never come. */
  function mayBeAnswered({ payment: { payment_id }, isUnanswered }: Settled): boolean {
    if (isUnanswered) return patience.lasts(payment_id);
    patience.end(payment_id);
    return false;
  }

  const askAgain = (payment: Payment, before: Payment) =>
    record(postpone(payment, policy, askAgainMs), before);

  async function tryAgain(payment: Payment, before: Payment, log: FastifyBaseLogger): Promise<Payment> {
    const begun = notifier.begin(payment);
    const admitted = bounds ? await bounds.admit(begun, payment) : begun;
    if (askedProvider(admitted)) return attempt(admitted, before, log);
    if (admitted !== begun) {
      const isKnown = admitted.reason === before.reason;
      return isKnown ? record(admitted, before) : end(admitted, before, log);
    }
    // No provider is available: the attempts that `begin` skipped are not recorded, and no retry is counted.
    const postponed = postpone(payment, policy, notifier.availableInMs(payment));
    return record({ ...postponed, notification_status: 'pending', reason: null }, before);
  }

  /** Makes the attempt that was begun, unless its phone is suppressed. */
  async function attempt(begun: Payment, before: Payment, log: FastifyBaseLogger): Promise<Payment> {
    try {
      await save(begun, before);
    } catch (error) {
      if (error instanceof RecipientSuppressed) return end(suppress(begun), before, log);
      throw error;
    }
    return (await round(begun, log)).payment;
  }

  async function record(payment: Payment, before: Payment): Promise<Payment> {
    await save(payment, before);
    return payment;
  }

  async function end(payment: Payment, before: Payment, log: FastifyBaseLogger): Promise<Payment> {
    await record(payment, before);
    logPayment(log, payment, 0);
    return payment;
  }

  async function release(payment: Payment, before: Payment): Promise<Payment> {
    const due = postpone(payment, policy, 0);
    await store.update(due, undefined, before);
    return due;
  }

  return {
    begin(payment) {
      const begun = notifier.begin(payment);
      return askedProvider(begun) ? begun : postpone(begun, policy, notifier.availableInMs(begun));
    },
    round(payment, ...args) {
      const work = () => round(payment, ...args);
      return track(inPaymentSpan('notify', payment, work, (ended) => ended.payment));
    },
    resume(claimed, ...args) {
      const work = () => resume(claimed, ...args);
      return track(
        resumeCorrelation(claimed, () => inPaymentSpan('resume', claimed, work, (payment) => payment)),
      );
    },
    resend: (...args) => track(resend(...args)),
    cancel: (...args) => track(cancel(...args)),
    drain,
  };
}

function inPaymentSpan<Result>(
  name: string,
  { payment_id }: Payment,
  work: () => Promise<Result>,
  paymentOf: (result: Result) => Payment,
): Promise<Result> {
  return inSpan(name, { attributes: { payment_id } }, async (span) => {
    const result = await work();
    span.setAttribute('notification_status', paymentOf(result).notification_status);
    return result;
  });
}

const isWaiting = (payment: Payment) => isOpen(payment) && askedProvider(payment) === undefined;

/** Attempts before an operator had it sent again do not hold a notification. */
const isHeldBack = ({ attempts, reopened }: Payment, { unknownOutcome }: RetryPolicy) =>
  unknownOutcome === 'hold' && attempts.slice(reopened).some(({ outcome }) => outcome === 'unknown');
