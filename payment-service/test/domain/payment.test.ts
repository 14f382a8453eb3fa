import { afterEach, expect, test, vi } from 'vitest';
import { newPayment, paymentSchema } from '../../src/domain/payment.ts';

const noIds = { traceparent: null, request_id: null };

const request = { amount_minor: 100, currency: 'COP', customer_id: '1', phone: null, message: null };

afterEach(() => void vi.useRealTimers());

test('given payments of one millisecond, newPayment creates ids in their order', () => {
  vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z'), toFake: ['Date'] });
  const ids = Array.from({ length: 10_000 }, () => newPayment(request, 1000, noIds).payment_id);
  expect(ids).toEqual([...new Set(ids)].sort());
});

test('newPayment begins the id with the time of the payment', () => {
  vi.useFakeTimers({ now: new Date('2099-01-01T00:00:00Z'), toFake: ['Date'] });
  const [, ms = ''] = /^pmt_([0-9a-f]{12})7/.exec(newPayment(request, 1000, noIds).payment_id) ?? [];
  expect(Number.parseInt(ms, 16)).toBe(Date.parse('2099-01-01T00:00:00Z'));
});

test.each([
  ['\u2800'],
  ['\u0301'],
])('given %j as the customer, which an earlier release accepted, a stored payment is read', (customer_id) => {
  expect(paymentSchema.safeParse({ ...newPayment(request, 1000, noIds), customer_id }).success).toBe(true);
});
