import type { Provider } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import { endAttempt, settleAttempt, startAttempt } from '../../src/domain/attempts.ts';
import { newAction, reopen } from '../../src/domain/operator-actions.ts';
import { change, newPayment, type Payment } from '../../src/domain/payment.ts';
import { applyReceipt } from '../../src/domain/receipts.ts';
import {
  addChange,
  bucketOf,
  emptySums,
  mergeSums,
  percentile,
  type Sums,
  storedSums,
} from '../../src/domain/statistics.ts';

const accepted = (message_id = 'sms-1') => ({ outcome: 'accepted', message_id }) as const;
const refused = { outcome: 'not_sent', reason: 'connection_refused' } as const;
const unknown = { outcome: 'unknown', reason: 'timeout' } as const;
const rejected = { outcome: 'rejected', reason: 'phone_invalid' } as const;

const request = {
  amount_minor: 100,
  currency: 'COP',
  customer_id: '123',
  phone: null,
  message: 'a'.repeat(200),
};
const pay = () => newPayment(request, 86_400_000, { traceparent: null, request_id: null });

/** Adds up versions of a payment, each as it was committed after the one before, `ms` after the payment. */
function addUp(versions: Payment[], ms = 1000) {
  const sums: Partial<Record<Provider | '', Sums>> = {};
  const sumsOf = (provider: Provider | '') => (sums[provider] ??= emptySums());
  let before: Payment | undefined;
  for (const payment of versions) {
    addChange(sumsOf, payment, before, Date.parse(payment.created_at) + ms);
    before = payment;
  }
  return sums;
}

const receipt = (payment: Payment, number: number, status: 'delivered' | 'undelivered') =>
  applyReceipt(
    payment,
    {
      ...{ provider: payment.attempts[number - 1]?.provider ?? 'Aldeamo', message_id: 'sms-1', status },
      ...{ idempotency_key: `${payment.payment_id}-${number}`, reason: null },
    },
    'fail',
  ) as Payment;

describe('the statistics', () => {
  test('given an SMS that was accepted and delivered, count it, its segments and its times once', () => {
    const begun = startAttempt(pay(), 'Aldeamo');
    const sent = endAttempt(begun, accepted(), 10);
    const delivered = receipt(sent, 1, 'delivered');
    const { Aldeamo, ...others } = addUp([begun, sent, sent, delivered, delivered, change(delivered, {})]);
    const timed = new Map([[bucketOf(1000), 1]]);
    expect(Aldeamo).toEqual({
      ...{ sent: 1, segments: 2, delivered: 1 },
      ...{ failed: new Map(), accepted: timed, delivery: timed },
    });
    expect(others).toEqual({});
  });

  test('given a failover, count the SMS for the provider that accepted it', () => {
    const first = startAttempt(pay(), 'Aldeamo');
    const second = startAttempt(endAttempt(first, refused, 10), 'Twilio');
    const { Twilio, ...others } = addUp([first, second, endAttempt(second, accepted(), 10)]);
    expect(Twilio).toMatchObject({ sent: 1, segments: 2 });
    expect(others).toEqual({});
  });

  test('given an unknown outcome that is settled after another provider accepted the SMS, count both, and time the first', () => {
    const first = endAttempt(startAttempt(pay(), 'Aldeamo'), unknown, 10);
    const second = endAttempt(startAttempt(first, 'Twilio'), accepted(), 10);
    const settled = settleAttempt(second, 0, accepted());
    const { Aldeamo, Twilio } = addUp([first, second, settled, settled]);
    expect([Aldeamo?.sent, Twilio?.sent]).toEqual([1, 1]);
    expect([Aldeamo?.accepted, Twilio?.accepted]).toEqual([new Map(), new Map([[bucketOf(1000), 1]])]);
  });

  test('given a receipt for an attempt whose outcome was unknown, count it as sent and delivered', () => {
    const first = endAttempt(startAttempt(pay(), 'Aldeamo'), unknown, 10);
    const { Aldeamo } = addUp([first, receipt(first, 1, 'delivered')]);
    expect(Aldeamo).toMatchObject({ sent: 1, delivered: 1 });
  });

  test('given a rejection, count the failure for the provider that rejected the SMS', () => {
    const begun = startAttempt(pay(), 'Aldeamo');
    const failed = endAttempt(begun, rejected, 10);
    expect(addUp([begun, failed, failed])).toEqual({
      Aldeamo: { ...emptySums(), failed: new Map([['phone_invalid', 1]]) },
    });
  });

  test('given a receipt that the SMS was not delivered, count the failure for its provider', () => {
    const sent = endAttempt(startAttempt(pay(), 'Twilio'), accepted(), 10);
    const { Twilio } = addUp([sent, receipt(sent, 1, 'undelivered')]);
    expect(Twilio).toMatchObject({ sent: 1, delivered: 0, failed: new Map([['undelivered', 1]]) });
  });

  test('given a notification that no provider failed, count it for none', () => {
    const tried = endAttempt(startAttempt(pay(), 'Aldeamo'), refused, 10);
    const expired = change(tried, { notification_status: 'failed', reason: 'expired' });
    expect(addUp([tried, expired])).toEqual({ '': { ...emptySums(), failed: new Map([['expired', 1]]) } });
  });

  test('given an SMS that was sent again by hand, count it, and leave out how long the person took', () => {
    const sent = endAttempt(startAttempt(pay(), 'Aldeamo'), accepted(), 10);
    const reopened = change(sent, { reopened: 1, notification_status: 'pending' });
    const again = endAttempt(startAttempt(reopened, 'Aldeamo'), accepted('sms-2'), 10);
    const { Aldeamo } = addUp([sent, reopened, again], 1000);
    expect([Aldeamo?.sent, Aldeamo?.accepted]).toEqual([2, new Map([[bucketOf(1000), 1]])]);
  });

  test('given an SMS without an attempt that an operator had tried again, leave out how long the person took', () => {
    const held = change(pay(), { notification_status: 'held', reason: 'daily_limit' });
    const action = newAction({ action: 'retry', by: 'maria', reason: 'the limit is higher now' });
    const sent = endAttempt(startAttempt(reopen(held, action, 86_400_000), 'Aldeamo'), accepted(), 10);
    const { Aldeamo } = addUp([held, sent, receipt(sent, 1, 'delivered')]);
    expect(Aldeamo).toMatchObject({ sent: 1, delivered: 1, accepted: new Map(), delivery: new Map() });
  });

  test('given more reasons than are counted by themselves, add up the rest as one', () => {
    const sums = emptySums();
    for (let number = 0; number < 150; number += 1)
      addChange(
        () => sums,
        change(pay(), { notification_status: 'failed', reason: `reason-${number}` }),
        undefined,
        0,
      );
    expect(sums.failed.size).toBe(101);
    expect(sums.failed.get('other')).toBe(50);
  });

  test('of several processes are merged from what they stored', () => {
    const one = storedSums({
      ...{ sent: 1, segments: 2, delivered: 1 },
      ...{ failed: new Map([['constructor', 1]]), accepted: new Map([[5, 1]]), delivery: new Map([[9, 2]]) },
    });
    const merged = emptySums();
    for (const stored of [one, JSON.parse(JSON.stringify(one))]) mergeSums(merged, stored);
    expect(merged).toEqual({
      ...{ sent: 2, segments: 4, delivered: 2 },
      ...{ failed: new Map([['constructor', 2]]), accepted: new Map([[5, 2]]), delivery: new Map([[9, 4]]) },
    });
  });
});

describe('a percentile', () => {
  test('of no value is null', () => expect(percentile(new Map(), 0.5)).toBeNull());

  test('is off by at most 2.5% and a millisecond', () => {
    for (let ms = 0; ms < 4 * 86_400_000; ms = Math.ceil(ms * 1.003) + 1) {
      const found = percentile(new Map([[bucketOf(ms), 1]]), 0.5) ?? Number.NaN;
      expect(Math.abs(found - ms)).toBeLessThanOrEqual(ms * 0.025 + 1);
    }
  });

  test('is the value that the share of the values does not exceed', () => {
    const counts = new Map<number, number>();
    for (let ms = 1000; ms >= 1; ms -= 1) counts.set(bucketOf(ms), (counts.get(bucketOf(ms)) ?? 0) + 1);
    for (const share of [0.5, 0.95]) {
      const found = percentile(counts, share) ?? Number.NaN;
      expect(Math.abs(found - share * 1000)).toBeLessThanOrEqual(share * 1000 * 0.05);
    }
  });
});
