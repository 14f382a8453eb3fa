import type { FastifyBaseLogger } from 'fastify';
import { newAction } from '../domain/operator-actions.ts';
import type { Payment } from '../domain/payment.ts';
import { LeaseLost, type Store } from '../store/store.ts';
import type { Delivery } from './delivery.ts';
import { findPayment, notAllowed, requireAllowed } from './find-for-action.ts';
import { logAction } from './log-action.ts';
import { paymentProblem } from './problems.ts';

/**
 * Cancels a notification that is pending or held, also while an attempt of it runs.
 *
 * @throws Problem 404; 409 if the state does not allow it, also if a provider turns out to have accepted or rejected the SMS, or if
 *   another worker has the notification
 */
export type CancelNotification = (
  paymentId: string,
  doing: { reason: string; by: string | null },
  log: FastifyBaseLogger,
) => Promise<Payment>;

interface CancelOptions {
  store: Pick<Store, 'find' | 'seize'>;
  delivery: Pick<Delivery, 'cancel'>;
}

/** Another worker may claim the notification between its read and its seizure. */
const tries = 3;

export function createNotificationCancel({ store, delivery }: CancelOptions): CancelNotification {
  /** From then on the worker that has leased it records nothing, and calls no other provider. */
  async function seize(paymentId: string): Promise<Payment | undefined> {
    const payment = await findPayment(store, paymentId);
    requireAllowed(payment, 'cancel');
    return store.seize(payment).catch(ifLeaseLost);
  }

  return async (paymentId, doing, log) => {
    const action = newAction({ action: 'cancel', ...doing });
    for (let left = tries; left > 0; left -= 1) {
      const seized = await seize(paymentId);
      const ended = seized && (await delivery.cancel(seized, action, log).catch(ifLeaseLost));
      if (!ended) continue;
      // A provider has taken the SMS meanwhile, or the notification had ended before it was seized.
      if (!ended.actions.includes(action)) throw notAllowed(ended);
      logAction(log, ended, action);
      return ended;
    }
    throw paymentProblem('notification-in-use');
  };
}

function ifLeaseLost(error: unknown): undefined {
  if (!(error instanceof LeaseLost)) throw error;
}
