import type { FastifyBaseLogger } from 'fastify';
import type { Receipt } from 'service-kit/contract/notification.ts';
import type { UndeliveredPolicy } from '../domain/outcome.ts';
import type { Payment, PaymentObserver } from '../domain/payment.ts';
import { applyReceipt } from '../domain/receipts.ts';
import { LeaseLost, type Store } from '../store/store.ts';
import { paymentProblem } from './problems.ts';

export interface ReceiptOptions {
  store: Pick<Store, 'find' | 'amend'>;
  undelivered: UndeliveredPolicy;
  onChange: PaymentObserver;
}

/**
 * Records a provider's receipt for an SMS that it accepted.
 *
 * @throws Problem 404 if there is no such attempt, 400 if the receipt is of the future, 409 while the notification is being handled
 */
export type RecordReceipt = (receipt: Receipt, log: FastifyBaseLogger) => Promise<void>;

/** How far the clock of a provider may be ahead of this one's, in ms. */
const clockToleranceMs = 300_000;

/** Another receipt, or a worker, may change the payment between its read and its write. */
const tries = 3;

export function createRecordReceipt({ store, undelivered, onChange }: ReceiptOptions): RecordReceipt {
  /** Returns false if the payment has changed since it was read. */
  async function amend(next: Payment, before: Payment): Promise<boolean> {
    try {
      await store.amend(next, before);
      return true;
    } catch (error) {
      if (error instanceof LeaseLost) return false;
      throw error;
    }
  }

  return async (receipt, log) => {
    if (Date.parse(receipt.at ?? '') > Date.now() + clockToleranceMs)
      throw paymentProblem('receipt-of-the-future');
    for (let left = tries; left > 0; left -= 1) {
      const payment = await store.find(receipt.idempotency_key.replace(/-\d+$/, ''));
      const next = payment && applyReceipt(payment, receipt, undelivered);
      if (!next) throw paymentProblem('attempt-not-found');
      if (next === payment) return;
      if (!(await amend(next, payment))) continue;
      onChange(next, payment);
      const { payment_id, notification_status, reason } = next;
      const { provider, status } = receipt;
      log.info({ payment_id, provider, status, notification_status, reason }, 'receipt recorded');
      return;
    }
    throw paymentProblem('notification-in-use');
  };
}
