import type { DatabaseSync } from 'node:sqlite';
import { newPayment, type Payment } from '../../domain/payment.ts';
import type { EventRows } from './event-rows.ts';
import { paymentValues, updateValues } from './rows.ts';
import type { PaymentWrites } from './writes.ts';

const lifetimeMs = 86_400_000;

/**
 * Prepares a rehearsal of a payment: its insert with a key, and its update with their events, by the latest payment's customer, so that it touches
 * the pages that the next payment touches. It is rolled back in a transaction of its own, since a savepoint would leave
 * the pages to be written: readers and the write-ahead log see nothing of it. The pages that it touched leave the cache, so that
 * the next one reads them from the disk. It takes about 0.1 ms.
 *
 * @returns a function that throws the error that a payment would get, such as that of a damaged page
 */
export function prepareRehearsal(
  db: DatabaseSync,
  { insert, update }: PaymentWrites,
  rowsOfEvents: EventRows,
): () => void {
  const latestCustomer = db.prepare('SELECT customer_id FROM payments ORDER BY payment_id DESC LIMIT 1');

  function rehearse(): void {
    const { customer_id = '' } = (latestCustomer.get() ?? {}) as { customer_id?: string };
    const request = { amount_minor: 1, currency: 'COP', customer_id, phone: null, message: 'x' };
    const payment = newPayment(request, lifetimeMs, { traceparent: null, request_id: null });
    const { payment_id } = payment;
    const record = { key: `rehearsal ${payment_id}`, fingerprint: '', payment_id, answer: null };
    const now = Date.now();
    const sent: Payment = { ...payment, notification_status: 'sent' };
    const answer = { payment_id, status: 201, body: '' };
    insert(paymentValues(payment, now), record, now, ...rowsOfEvents(payment, undefined));
    update(updateValues(sent, null), answer, null, undefined, ...rowsOfEvents(sent, payment));
  }

  return () => {
    db.exec('BEGIN IMMEDIATE');
    try {
      rehearse();
    } finally {
      if (db.isTransaction) db.exec('ROLLBACK');
    }
  };
}
