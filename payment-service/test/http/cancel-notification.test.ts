import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Payment } from '../../src/domain/payment.ts';
import type { QueriedOutcome } from '../../src/providers/provider-answer.ts';
import {
  begin,
  body,
  build,
  cancel,
  hold,
  keyed,
  paymentOf,
  post,
  reason,
  refused,
  resend,
} from '../fixture.ts';
import { paymentNumber } from '../store/store-contract.ts';

type Built = Awaited<ReturnType<typeof build>>;

const neverReceived: Outcome = { outcome: 'not_sent', reason: 'never_received' };

const find = async ({ app }: Built, payment_id: string) =>
  paymentOf(await app.inject(`/payments/${payment_id}`));

/** A payment whose first attempt runs at Aldeamo until `letGo`. */
async function buildRunning() {
  const built = await build();
  const { letGo, called } = hold(built.clients.Aldeamo);
  const paid = begin(built.app, post(body));
  await called;
  const [payment] = built.store.recorded() as [Payment];
  return { ...built, letGo, paid, id: payment.payment_id };
}

describe('POST /payments/{id}/notification/cancel', () => {
  test('given an unknown payment, responds 404', async () => {
    const { app } = await build();
    const response = await app.inject(cancel('pmt_x'));
    expect([response.statusCode, response.json().type]).toEqual([404, '/problems/payment-not-found']);
  });

  test.each<[what: string, fields: Partial<Payment>]>([
    ['pending', { next_attempt_at: '2998-01-01T00:00:00.000Z' }],
    ['held', { notification_status: 'held', reason: 'phone_unknown' }],
  ])('given a notification that is %s, cancels it', async (_what, fields) => {
    const built = await build();
    const payment = paymentNumber(1, fields);
    await built.store.insert(payment);
    const cancelled = paymentOf(await built.app.inject(cancel(payment.payment_id)));
    expect(cancelled).toMatchObject({
      ...{ notification_status: 'cancelled', notification: { reason: 'by_hand', next_attempt_at: null } },
      actions: [{ action: 'cancel', by: null, reason, provider: null }],
    });
    expect(await find(built, payment.payment_id)).toEqual(cancelled);
    expect([built.calls, await built.store.claimDue(10)]).toEqual([[], []]);
    expect(built.lines.filter(({ msg }) => msg === 'operator action')).toMatchObject([
      { payment_id: payment.payment_id, action: 'cancel', reason, notification_status: 'cancelled' },
    ]);
  });

  test.each([
    'sent',
    'delivered',
    'failed',
    'cancelled',
  ] as const)('given a notification that is %s, responds 409 with what is allowed', async (notification_status) => {
    const { app, store } = await build();
    const payment = paymentNumber(1, { notification_status });
    await store.insert(payment);
    const response = await app.inject(cancel(payment.payment_id));
    expect(response.statusCode).toBe(409);
    expect(problemSchema.parse(response.json())).toMatchObject({
      ...{ type: '/problems/action-not-allowed', notification_status, allowed: ['resend'] },
      detail: `The notification is ${notification_status}: it can be resent.`,
    });
    expect(await store.find(payment.payment_id)).toStrictEqual(payment);
  });

  test.each<[what: string, fields: object, path: string]>([
    ['no reason', { reason: undefined }, 'reason'],
    ['a phone in the reason', { reason: 'call 300 123 4567' }, 'reason'],
    ['an unknown field', { phone: '+573001234567' }, 'phone'],
  ])('given %s, responds 400', async (_what, fields, path) => {
    const { app } = await build();
    const response = await app.inject(cancel('pmt_x', fields));
    expect([response.statusCode, response.json().errors]).toMatchObject([400, [{ path }]]);
  });

  test('given an unavailable store, responds 503', async () => {
    const { app, store } = await build();
    const payment = paymentNumber(1, { next_attempt_at: '2998-01-01T00:00:00.000Z' });
    await store.insert(payment);
    store.locked = true;
    expect((await app.inject(cancel(payment.payment_id))).statusCode).toBe(503);
  });
});

describe('the cancellation of a running attempt', () => {
  test.each<[what: string, known: QueriedOutcome, attempt: object]>([
    ['has not arrived', neverReceived, { outcome: 'not_sent', reason: 'never_received' }],
    ['was not sent', refused, { outcome: 'not_sent', reason: 'connection_refused' }],
    ['is not known', undefined, { outcome: 'unknown', reason: 'interrupted' }],
    ['cannot be asked about', 'unanswered', { outcome: 'unknown', reason: 'interrupted' }],
  ])('given a call that %s, cancels, and no other provider is called', async (_what, known, attempt) => {
    const built = await buildRunning();
    built.clients.Aldeamo.known = async () => known;
    const cancelled = paymentOf(await built.app.inject(cancel(built.id)));
    expect(cancelled).toMatchObject({
      ...{ notification_status: 'cancelled', notification: { attempts: [attempt] } },
    });
    built.letGo(refused);
    expect(paymentOf(await built.paid)).toEqual(cancelled);
    expect(built.calls.map(({ provider }) => provider)).toEqual(['Aldeamo']);
    expect(await find(built, built.id)).toEqual(cancelled);
  });

  test('given a call that was accepted, is a 409, and the notification is sent', async () => {
    const built = await buildRunning();
    built.clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    const response = await built.app.inject(cancel(built.id));
    expect([response.statusCode, response.json()]).toMatchObject([
      409,
      { type: '/problems/action-not-allowed', notification_status: 'sent', allowed: ['resend'] },
    ]);
    built.letGo();
    expect(paymentOf(await built.paid)).toMatchObject({ notification_status: 'sent', actions: [] });
  });

  test('given a call to Twilio after a failover, asks Twilio', async () => {
    const built = await build();
    built.clients.Aldeamo.answer = async () => refused;
    const { letGo, called } = hold(built.clients.Twilio);
    const paid = begin(built.app, post(body));
    await called;
    const [{ payment_id: id }] = built.store.recorded() as [Payment];
    built.clients.Twilio.known = async (key) => (key === `${id}-2` ? neverReceived : undefined);
    const cancelled = paymentOf(await built.app.inject(cancel(id)));
    expect(cancelled.notification.attempts.map((each) => each.reason)).toEqual([
      ...['connection_refused', 'never_received'],
    ]);
    letGo(refused);
    expect(paymentOf(await paid)).toEqual(cancelled);
  });

  test('given the time between its seizure and its record, has the cut-off request get what is on record then', async () => {
    const built = await buildRunning();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<QueriedOutcome>();
    built.clients.Aldeamo.known = () => {
      asked.resolve();
      return answer.promise;
    };
    const cancelling = begin(built.app, cancel(built.id));
    await asked.promise;
    built.letGo(refused);
    expect(paymentOf(await built.paid)).toMatchObject({
      ...{ notification_status: 'pending', notification: { attempts: [{ outcome: null }] } },
    });
    answer.resolve(refused);
    expect(paymentOf(await cancelling)).toMatchObject({ notification_status: 'cancelled' });
    expect(built.calls).toHaveLength(1);
  });

  test('given the first request with an Idempotency-Key, has the key get the cancelled payment', async () => {
    const built = await build();
    const { letGo, called } = hold(built.clients.Aldeamo);
    const paid = begin(built.app, keyed('order-1'));
    await called;
    const [{ payment_id: id }] = built.store.recorded() as [Payment];
    const cancelled = paymentOf(await built.app.inject(cancel(id)));
    letGo(refused);
    expect((await paid).json().type).toBe('/problems/outcome-not-recorded');
    expect(paymentOf(await built.app.inject(keyed('order-1')))).toEqual(cancelled);
  });

  test('given a resend that runs, cancels it', async () => {
    const built = await build();
    await built.store.insert(paymentNumber(1, { notification_status: 'failed', reason: 'expired' }));
    const { payment_id: id } = paymentNumber(1);
    const { letGo, called } = hold(built.clients.Aldeamo);
    const resending = begin(built.app, resend(id));
    await called;
    const cancelled = paymentOf(await built.app.inject(cancel(id)));
    expect(cancelled.actions.map(({ action }) => action)).toEqual(['resend', 'cancel']);
    letGo(refused);
    expect(paymentOf(await resending)).toEqual(cancelled);
    expect(built.calls).toHaveLength(1);
  });

  test('given a second cancellation meanwhile, cancels once', async () => {
    const built = await buildRunning();
    const responses = await Promise.all([1, 2].map(() => built.app.inject(cancel(built.id))));
    expect(responses.map(({ statusCode }) => statusCode).toSorted()).toEqual([200, 409]);
    expect((await find(built, built.id)).actions).toHaveLength(1);
  });
});

describe('a cancelled notification', () => {
  const receipt = (id: string, status: string) => ({
    method: 'POST' as const,
    url: '/receipts',
    payload: {
      ...{ provider: 'Aldeamo', message_id: 'AL1', idempotency_key: `${id}-1` },
      ...{ status, reason: status === 'delivered' ? null : 'c1' },
    },
  });

  test.each([
    ['delivered', 'delivered', null],
    ['undelivered', 'cancelled', 'by_hand'],
    ['not_sent', 'cancelled', 'by_hand'],
    ['refused', 'cancelled', 'by_hand'],
  ])('given a receipt of its unknown attempt that says %s, is %s, and sends nothing', async (status, expected, why) => {
    const built = await buildRunning();
    await built.app.inject(cancel(built.id));
    expect((await built.app.inject(receipt(built.id, status))).statusCode).toBe(204);
    const found = await find(built, built.id);
    expect(found).toMatchObject({
      ...{ notification_status: expected, notification: { reason: why, next_attempt_at: null } },
    });
    expect(found.notification.attempts).toMatchObject([{ outcome: 'accepted', deliveries: [{ status }] }]);
    expect(await built.store.claimDue(10)).toEqual([]);
  });

  test('given a resend that finds that it was accepted, is sent, and no second SMS is', async () => {
    const built = await buildRunning();
    await built.app.inject(cancel(built.id));
    built.clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    expect(paymentOf(await built.app.inject(resend(built.id)))).toMatchObject({
      notification_status: 'sent',
    });
    expect(built.calls).toHaveLength(1);
  });
});

test('given another replica, its running attempt records nothing more, and fails over no more', async () => {
  const first = await buildRunning();
  // The store that the replicas share is closed once, by the first.
  const store = { ...first.store, close: async () => {} };
  const other = await build({ store });
  other.clients.Aldeamo.known = async () => neverReceived;
  onTestFinished(() => first.letGo());
  const cancelled = paymentOf(await other.app.inject(cancel(first.id)));
  expect(cancelled).toMatchObject({ notification_status: 'cancelled' });
  first.letGo(refused);
  expect(paymentOf(await first.paid)).toEqual(cancelled);
  expect(first.calls.map(({ provider }) => provider)).toEqual(['Aldeamo']);
});
