import { expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import { build, paymentOf, post, resend } from '../fixture.ts';

const text = 'Un texto que un día se olvida';
const phone = '+573001234567';
const later = () => Date.now() + 1000;

async function payAndRedact(...outcomes: ('accepted' | 'rejected')[]) {
  const { app, store, clients } = await build();
  const paid = [];
  for (const outcome of outcomes) {
    if (outcome === 'rejected')
      clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'opted_out' });
    paid.push(paymentOf(await app.inject(post({ amount: 1, customer_id: '1', message: text, phone }))));
  }
  expect(await store.redact(later(), 1000)).toBe(outcomes.length);
  return { app, paid };
}

test('GET /payments/{id}, given a redacted payment, returns all of it but the message and the digits of the phone', async () => {
  const { app, paid } = await payAndRedact('accepted');
  const [payment] = paid;
  const found = paymentOf(await app.inject(`/payments/${payment?.payment_id}`));
  const { notification } = payment as PaymentView;
  const attempts = notification.attempts.map((attempt) => ({ ...attempt, phone_last4: null }));
  expect(notification.attempts[0]?.phone_last4).toMatch(/^\d{4}$/);
  expect(found).toEqual({ ...payment, notification: { ...notification, message: null, attempts } });
});

test('a resend, given a redacted payment, is refused with 409', async () => {
  const { app, paid } = await payAndRedact('rejected');
  const response = await app.inject(resend(paid[0]?.payment_id ?? '', { phone: '+573007654321' }));
  expect(response.statusCode).toBe(409);
  expect(response.json()).toMatchObject({ type: '/problems/message-redacted' });
});
