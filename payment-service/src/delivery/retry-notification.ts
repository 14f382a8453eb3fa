import type { FastifyBaseLogger } from 'fastify';
import { isRefusal } from '../domain/deliveries.ts';
import { change, type Payment } from '../domain/payment.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import { LeaseLost, type Store } from '../store/store.ts';
import type { Delivery } from './delivery.ts';
import { paymentProblem } from './problems.ts';

export interface NotificationRetryOptions {
  store: Store;
  delivery: Delivery;
  policy: RetryPolicy;
}

/** A retry by hand: notifies the customer of this payment after all, perhaps at another phone. */
export type RetryNotification = (
  paymentId: string,
  phone: string | undefined,
  log: FastifyBaseLogger,
) => Promise<Payment>;

/**
 * @returns a function that throws a Problem: 404, or 409 if there is nothing to retry or to send, or if the recipient was
 *   rejected, or the phone is suppressed, and no other phone is known
 */
export function createNotificationRetry({
  store,
  delivery,
  policy,
}: NotificationRetryOptions): RetryNotification {
  async function refuseSuppressed(phone: string | null): Promise<void> {
    if (phone !== null && (await store.findSuppression({ phone })))
      throw paymentProblem('recipient-suppressed');
  }

  return async (paymentId, givenPhone, log) => {
    const payment = await store.find(paymentId);
    if (!payment) throw paymentProblem('payment-not-found');
    if (payment.notification_status !== 'failed' && payment.notification_status !== 'held')
      throw paymentProblem('nothing-to-retry');
    if (payment.message === null) throw paymentProblem('message-redacted');
    const phone = givenPhone ?? payment.phone ?? (await store.findPhone(payment)) ?? null;
    const isFinal = (known: Payment) => isRejected(known) && phone === known.phone;
    if (isFinal(payment)) throw paymentProblem('recipient-rejected');
    await refuseSuppressed(phone);
    // Checked again on what the providers answer: the rejection may become known only then.
    const reopen = (known: Payment): Payment | undefined =>
      isFinal(known)
        ? undefined
        : change(known, {
            reason: null,
            phone,
            notification_status: 'pending',
            reopened: known.attempts.length,
            expires_at: new Date(Date.now() + policy.ttlMs).toISOString(),
          });
    try {
      return await delivery.retry(await store.claim(payment), reopen, log);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      throw paymentProblem('nothing-to-retry', { detail: 'The notification is already being retried.' });
    }
  };
}

/** A provider has rejected the recipient since the last retry by hand, at once or by a receipt. */
const isRejected = ({ notification_status, attempts, reopened }: Payment) =>
  notification_status === 'failed' && attempts.slice(reopened).some(isRefusal);
