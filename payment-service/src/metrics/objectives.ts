import { Counter, Histogram, type Registry } from 'prom-client';
import { providers } from '../delivery/notifier.ts';
import type { Payment, PaymentObserver } from '../domain/payment.ts';

/**
 * In seconds. The objectives of ops/prometheus/objectives.yml read the bucket of a minute and that of ten minutes; 1 and 10 are
 * theirs in the test that divides all times by 60.
 */
const buckets = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400];

/**
 * Measures what the objectives promise: how long after its payment a notification is accepted and delivered. Another process may
 * see the end of a payment than its beginning, so that only the sums over all of them mean something. What a person tries again
 * is not counted a second time: its first end stays.
 */
export function measureObjectives(registry: Registry): PaymentObserver {
  const registers = [registry];
  const created = new Counter({
    name: 'paysms_payments_created_total',
    help: 'Payments that were recorded',
    registers,
  });
  const refused = new Counter({
    name: 'paysms_payments_refused_recipient_total',
    help: 'Payments whose recipient was rejected before a provider accepted the SMS: none of the objectives counts them',
    registers,
  });
  const acceptance = new Histogram({
    name: 'paysms_notification_acceptance_seconds',
    help: 'Time from a payment until a provider accepted its SMS',
    labelNames: ['provider'],
    buckets,
    registers,
  });
  const delivery = new Histogram({
    name: 'paysms_notification_delivery_seconds',
    help: 'Time from a payment until a receipt said that its SMS was delivered',
    labelNames: ['provider'],
    buckets,
    registers,
  });
  for (const provider of providers)
    for (const histogram of [acceptance, delivery]) histogram.zero({ provider });

  return (payment, before) => {
    if (before === undefined) created.inc();
    if (payment.reopened > 0) return;
    const provider = payment.notification_service;
    if (isAccepted(payment) && !isAccepted(before) && provider)
      acceptance.observe({ provider }, ageOf(payment));
    if (
      payment.notification_status === 'delivered' &&
      before?.notification_status !== 'delivered' &&
      provider
    )
      delivery.observe({ provider }, ageOf(payment));
    if (isRejected(payment) && before?.notification_status === 'pending') refused.inc();
  };
}

const isAccepted = (payment: Payment | undefined) =>
  payment?.notification_status === 'sent' || payment?.notification_status === 'delivered';

const isRejected = ({ notification_status, attempts }: Payment) =>
  notification_status === 'failed' && attempts.some(({ outcome }) => outcome === 'rejected');

/** In seconds; 0 by a clock that was set back. */
const ageOf = ({ created_at }: Payment) => Math.max(0, Date.now() - Date.parse(created_at)) / 1000;
