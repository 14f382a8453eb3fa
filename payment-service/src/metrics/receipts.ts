import { Counter, type Registry } from 'prom-client';
import { providers, receiptStatusSchema } from 'service-kit/contract/notification.ts';
import { isUnderWay } from '../domain/deliveries.ts';
import type { PaymentObserver } from '../domain/payment.ts';

/** Counts what the providers reported of the SMS that they accepted, each delivery once, and what they did not report. */
export function countReceipts(registry: Registry): PaymentObserver {
  const registers = [registry];
  const receipts = new Counter({
    name: 'paysms_receipts_total',
    help: 'Receipts that were recorded, a repeated one once, by what they say of the SMS',
    labelNames: ['provider', 'status'],
    registers,
  });
  const missing = new Counter({
    name: 'paysms_receipts_missing_total',
    help: 'SMS for which no receipt came within RECEIPT_TIMEOUT_MS, from a provider that has receipts',
    labelNames: ['provider'],
    registers,
  });
  // Exported as 0 before the first event, because `rate()` does not see the step from no sample to 1.
  for (const provider of providers) {
    missing.inc({ provider }, 0);
    for (const status of receiptStatusSchema.options) receipts.inc({ provider, status }, 0);
  }

  return (payment, before) => {
    payment.attempts.forEach(({ provider, deliveries }, index) => {
      if (deliveries.length === 0) return;
      const known = before?.attempts[index]?.deliveries.length ?? 0;
      for (const { status } of deliveries.slice(known)) receipts.inc({ provider, status });
    });
    if (payment.reason !== 'no_receipt' || before?.reason === 'no_receipt') return;
    const provider = payment.attempts.findLast(isUnderWay)?.provider;
    if (provider) missing.inc({ provider });
  };
}
