import type { FastifyBaseLogger } from 'fastify';
import type { Notifier } from './notifier.ts';
import { lastAttempt, newPayment, type Payment, type PaymentRequest } from './payment.ts';
import type { Store } from './store/store.ts';

export interface Payments {
  /**
   * Keeps the payment, then has its customer notified. A provider's trouble is no failure of the payment.
   *
   * @throws StoreUnavailable if the payment could not be kept; nothing was sent then
   */
  create(request: PaymentRequest, log: FastifyBaseLogger): Promise<Payment>;
}

export function createPayments(store: Store, notifier: Notifier): Payments {
  return {
    async create(request, log) {
      const started = performance.now();
      let payment = notifier.begin(newPayment(request));
      await store.insert(payment);
      // From here on the payment exists, and its client is told so. A store that fails now leaves an attempt without an
      // outcome on record: one that may have happened.
      const save = async (next: Payment) => {
        await store.update(next);
        payment = next;
      };
      try {
        const notified = await notifier.notify(payment, save);
        payment = notified;
        await store.update(notified);
      } catch (err) {
        log.error({ err, payment_id: payment.payment_id }, 'an outcome could not be recorded');
      }
      logPayment(log, payment, performance.now() - started);
      return payment;
    },
  };
}

/** The one line for each payment: who handled it, with what outcome, how long it took, and the attempts that say why. */
function logPayment(log: FastifyBaseLogger, payment: Payment, durationMs: number): void {
  const { outcome, reason } = lastAttempt(payment);
  log.info(
    {
      payment_id: payment.payment_id,
      provider: payment.notification_service,
      outcome,
      reason,
      duration_ms: Math.round(durationMs),
      notification_status: payment.notification_status,
      attempts: payment.notification.attempts,
    },
    'payment notified',
  );
}
