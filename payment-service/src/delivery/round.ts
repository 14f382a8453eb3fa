import type { FastifyBaseLogger } from 'fastify';
import type { Payment, PaymentObserver } from '../domain/payment.ts';
import { type RetryPolicy, scheduleRetry } from '../domain/retry-policy.ts';
import { suppress } from '../domain/suppression.ts';
import { LeaseLost, RecipientSuppressed, type Store, type StoredAnswer } from '../store/store.ts';
import { attemptToLog, logPayment } from './log-payment.ts';
import type { Notifier } from './notifier.ts';

/** A payment at the end of a round, as it is on record. */
interface EndedRound {
  payment: Payment;
  /** False if the end of the round could not be recorded: the attempt without an outcome is settled when its lease has expired. */
  isRecorded: boolean;
  /** The answer that was stored with the end. */
  answer: StoredAnswer | undefined;
}

/**
 * Makes the attempt that was begun and stored, fails over to the other provider if its outcome asks for it, and stores the end
 * with the answer that `answerTo` builds. The payment is on disk, so no error from here on fails it: this never rejects, and
 * never returns what is not on record.
 */
export type Round = (
  payment: Payment,
  log: FastifyBaseLogger,
  answerTo?: (ended: Payment) => StoredAnswer,
) => Promise<EndedRound>;

/** Records a payment, of which `before` is what was recorded last. */
type Save = (payment: Payment, before: Payment, answer?: StoredAnswer) => Promise<void>;

export const createSave =
  (store: Pick<Store, 'update'>, onChange: PaymentObserver): Save =>
  async (payment, before, answer) => {
    await store.update(payment, answer, before);
    onChange(payment, before);
  };

interface RoundOptions {
  store: Pick<Store, 'find'>;
  notifier: Pick<Notifier, 'notify' | 'availableInMs'>;
  policy: RetryPolicy;
  save: Save;
}

export function createRound({ store, notifier, policy, save }: RoundOptions): Round {
  /** Read again, because another worker may have changed it; what was recorded last if the store cannot be read. */
  const findRecorded = async (recorded: Payment): Promise<Payment> =>
    (await store.find(recorded.payment_id).catch(() => undefined)) ?? recorded;

  return async (payment, log, answerTo) => {
    const started = performance.now();
    let recorded = payment;
    let current = payment;
    try {
      const saveNext = async (next: Payment) => {
        await save(next, recorded);
        recorded = next;
        current = next;
      };
      const notified = await notifier.notify(payment, saveNext).catch(endSuppressed);
      current = scheduleRetry(notified, policy, notifier.availableInMs(notified));
      const answer = answerTo?.(current);
      await save(current, recorded, answer);
      // Only what is on record is logged as handled: the replica that claims the payment next would log it again.
      logPayment(log, current, performance.now() - started);
      return { payment: current, isRecorded: true, answer };
    } catch (err) {
      // The record has an attempt without an outcome, which counts as possibly made. Only this line has its outcome.
      const fields = { payment_id: payment.payment_id, attempts: current.attempts.map(attemptToLog) };
      if (err instanceof LeaseLost) log.warn(fields, 'another worker has claimed this notification');
      else log.error({ err, ...fields }, 'an outcome could not be recorded');
      return { payment: await findRecorded(recorded), isRecorded: false, answer: undefined };
    }
  };
}

/** The notification without the next attempt, if its phone was suppressed before that was recorded. */
function endSuppressed(error: unknown): Payment {
  if (error instanceof RecipientSuppressed) return suppress(error.payment);
  throw error;
}
