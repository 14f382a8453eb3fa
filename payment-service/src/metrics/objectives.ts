import { Counter, Histogram, type Registry } from 'prom-client';
import { type Provider, providers } from 'service-kit/contract/notification.ts';
import { isDelivered, isRefusal } from '../domain/deliveries.ts';
import { isOpen, type Payment, type PaymentObserver } from '../domain/payment.ts';
import { suppressedReason } from '../domain/suppression.ts';

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
    help: 'Payments whose recipient was rejected or suppressed before a provider accepted the SMS, or has no known phone: none of the objectives counts them',
    registers,
  });
  const acceptance = new Histogram({
    name: 'paysms_notification_acceptance_seconds',
    help: 'Time from a payment until a provider accepted its SMS',
    labelNames: ['provider'],
    buckets,
    registers,
  });
  const reporting = new Counter({
    name: 'paysms_payments_with_receipts_total',
    help: 'Payments whose SMS was accepted first by a provider that reports what becomes of it: the objective of deliveries is about them',
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
    const takenBy = newly(payment, before, ({ notification_service }) => notification_service);
    if (takenBy) acceptance.observe({ provider: takenBy }, ageOf(payment));
    if (takenBy && hasReceipts(payment)) reporting.inc();
    const deliveredBy = newly(payment, before, ({ attempts }) => attempts.find(isDelivered)?.provider);
    if (deliveredBy) delivery.observe({ provider: deliveredBy }, ageOf(payment));
    if (isRefused(payment) && mayBeSent(before)) refused.inc();
  };
}

/** The provider of a payment, unless it had one before. */
const newly = (
  payment: Payment,
  before: Payment | undefined,
  providerOf: (payment: Payment) => Provider | null | undefined,
) => (before && providerOf(before) ? undefined : providerOf(payment));

/** A receipt is awaited, or has come. */
const hasReceipts = ({ ask_at, attempts }: Payment) =>
  ask_at !== null || attempts.some(({ deliveries }) => deliveries.length > 0);

const reasonsOfRecipient = new Set<string | null>([suppressedReason, 'phone_unknown']);

/** No provider can send it: the recipient was rejected, or is the reason why no attempt is made. */
const isRefused = ({ notification_status, notification_service, reason, attempts }: Payment) =>
  notification_service === null &&
  (reasonsOfRecipient.has(reason) || (notification_status === 'failed' && attempts.some(isRefusal)));

const mayBeSent = (before: Payment | undefined) => !before || (isOpen(before) && !isRefused(before));

/** In seconds; 0 by a clock that was set back. */
const ageOf = ({ created_at }: Payment) => Math.max(0, Date.now() - Date.parse(created_at)) / 1000;
