import { type AllowedAction, allowedActions, describeAllowed } from '../domain/operator-actions.ts';
import type { Payment } from '../domain/payment.ts';
import type { Store } from '../store/store.ts';
import { paymentProblem } from './problems.ts';

/** @throws Problem 404 */
export async function findPayment(store: Pick<Store, 'find'>, paymentId: string): Promise<Payment> {
  const payment = await store.find(paymentId);
  if (!payment) throw paymentProblem('payment-not-found');
  return payment;
}

/** @throws Problem 409 if the state of the notification does not allow the action */
export function requireAllowed(payment: Payment, action: AllowedAction): void {
  if (!allowedActions(payment).includes(action)) throw notAllowed(payment);
}

/** What the state of the notification allows in place of an action. */
export const notAllowed = (payment: Payment) =>
  paymentProblem('action-not-allowed', {
    detail: describeAllowed(payment),
    notification_status: payment.notification_status,
    allowed: allowedActions(payment),
  });
