import { Counter, type Registry } from 'prom-client';
import { isPossibleDuplicate } from '../domain/deliveries.ts';
import { notificationStatusSchema, type PaymentObserver } from '../domain/payment.ts';
import { failureReasons, labelOfReason } from './failure-reasons.ts';

/** Counts the payments that enter a notification status, by a request, the outbox or a receipt, and why notifications fail. */
export function countPayments(registry: Registry): PaymentObserver {
  const registers = [registry];
  const payments = new Counter({
    name: 'paysms_payments_total',
    help: 'Payments that entered a notification status; each starts as pending, and a resend or a retry by an operator makes it pending again',
    labelNames: ['notification_status'],
    registers,
  });
  const failed = new Counter({
    name: 'paysms_notifications_failed_total',
    help: 'Notifications that failed, by reason; other: a reason that is not listed in docs/observability.md',
    labelNames: ['reason'],
    registers,
  });
  const duplicates = new Counter({
    name: 'paysms_possible_duplicates_total',
    help: 'Payments whose SMS may have gone out twice',
    registers,
  });
  // Exported as 0 before the first event, because `rate()` does not see the step from no sample to 1.
  for (const notification_status of notificationStatusSchema.options)
    payments.inc({ notification_status }, 0);
  for (const reason of failureReasons) failed.inc({ reason }, 0);

  return (payment, before) => {
    const { notification_status } = payment;
    if (notification_status !== before?.notification_status) {
      payments.inc({ notification_status });
      if (notification_status === 'failed') failed.inc({ reason: labelOfReason(payment.reason) });
    }
    const was = before !== undefined && isPossibleDuplicate(before.attempts);
    if (!was && isPossibleDuplicate(payment.attempts)) duplicates.inc();
  };
}
