import type { FastifyBaseLogger } from 'fastify';
import type { Receipt } from 'service-kit/contract/notification.ts';
import { Problem } from 'service-kit/http/problem.ts';
import { applyReceipt } from '../domain/attempts.ts';
import type { PaymentObserver } from '../domain/payment.ts';
import { LeaseLost, type Store } from '../store/store.ts';

/**
 * Records a provider's receipt for an SMS that it accepted.
 *
 * @throws Problem 404 if there is no such attempt, 409 while the notification is being handled
 */
export async function recordReceipt(
  store: Store,
  receipt: Receipt,
  onChange: PaymentObserver,
  log: FastifyBaseLogger,
): Promise<void> {
  const payment = await store.find(receipt.idempotency_key.replace(/-\d+$/, ''));
  const next = payment && applyReceipt(payment, receipt);
  if (!next) throw new Problem(404, 'attempt-not-found', 'There is no such attempt.');
  if (next === payment) return;
  try {
    // A worker that holds the lease would overwrite the receipt, so the receipt has to wait for its own claim.
    const { fence } = await store.claim(payment);
    await store.update({ ...next, fence }, undefined, payment);
    onChange(next, payment);
  } catch (error) {
    if (!(error instanceof LeaseLost)) throw error;
    throw new Problem(409, 'notification-in-use', 'The notification is being handled. Retry soon.', {
      headers: { 'retry-after': '1' },
    });
  }
  const { payment_id, notification_status, reason } = next;
  log.info({ payment_id, provider: receipt.provider, notification_status, reason }, 'receipt recorded');
}
