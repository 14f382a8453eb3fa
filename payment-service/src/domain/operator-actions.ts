import type { StoredAction } from './actions.ts';
import { isRefusal } from './deliveries.ts';
import { type Attempt, change, isTaken, type Payment } from './payment.ts';
import { suppressedReason } from './suppression.ts';
import { writeNow } from './time.ts';

/** What operators may do about a notification: each function takes a payment, and none of them sends or stores anything. */

type Status = Payment['notification_status'];
export type AllowedAction = 'resend' | 'cancel';

const allowed: Record<Status, readonly AllowedAction[]> = {
  pending: ['cancel'],
  held: ['resend', 'cancel'],
  sent: ['resend'],
  delivered: ['resend'],
  failed: ['resend'],
  cancelled: ['resend'],
};

/** What may be done about the notification as it is now. */
export const allowedActions = ({ notification_status }: Pick<Payment, 'notification_status'>) =>
  allowed[notification_status];

const participles: Record<AllowedAction, string> = { resend: 'resent', cancel: 'cancelled' };

/** Such as: The notification is pending: it can be cancelled. */
export function describeAllowed(payment: Pick<Payment, 'notification_status'>): string {
  const options = allowedActions(payment).map((action) => participles[action]);
  return `The notification is ${payment.notification_status}: it can be ${options.join(' or ')}.`;
}

type Doing = Pick<StoredAction, 'action' | 'by' | 'reason'> & Partial<StoredAction>;

/** An action that is done now. */
export const newAction = (doing: Doing): StoredAction => ({
  at: writeNow(),
  provider: null,
  request: null,
  ...doing,
});

export const addAction = (payment: Payment, action: StoredAction): Payment =>
  change(payment, { actions: [...payment.actions, action] });

/**
 * Gives the notification a new time to live of `ttlMs`, in which its earlier attempts hold nothing. An SMS that was accepted stays
 * so: the notification is `sent` or `delivered`, whatever becomes of the next attempt.
 */
export function reopen(payment: Payment, action: StoredAction, ttlMs: number): Payment {
  return change(addAction(payment, action), {
    ...(!isTaken(payment) && { notification_status: 'pending', reason: null, next_attempt_at: null }),
    reopened: payment.attempts.length,
    expires_at: new Date(Date.now() + ttlMs).toISOString(),
  });
}

/** Ends a notification that is not sent any more. */
export const cancel = (payment: Payment, reason: 'by_hand' | 'erased', action: StoredAction): Payment =>
  change(addAction(payment, action), { notification_status: 'cancelled', reason, next_attempt_at: null });

/**
 * A provider has rejected the recipient since the notification was reopened, at once or by a receipt. That no phone was known is
 * no refusal.
 */
export const isRejected = ({ attempts, reopened }: Payment): boolean =>
  attempts.slice(reopened).some(refusesRecipient);

const refusesRecipient = (attempt: Attempt) => isRefusal(attempt) && attempt.reason !== 'phone_unknown';

/**
 * A provider has rejected this phone, as far as the attempts show: they have its last four digits. Another phone that ends alike is
 * taken for it.
 */
export const isRejectedPhone = (payment: Payment, phone: string | null): boolean =>
  (isRejected(payment) && phone === payment.phone) ||
  payment.attempts.some(
    (attempt) =>
      refusesRecipient(attempt) && attempt.phone_last4 !== null && attempt.phone_last4 === phone?.slice(-4),
  );

/** Whether a retry of many includes it: it failed, or is held, for a cause that may be gone. */
export function mayBeRetried(payment: Payment): boolean {
  const { notification_status, reason, message } = payment;
  if (notification_status === 'held') return true;
  if (notification_status !== 'failed' || message === null) return false;
  return reason !== suppressedReason && !isRejected(payment);
}
