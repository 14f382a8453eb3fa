import type { InjectOptions } from 'fastify';
import type { Outcome, Receipt, ReceiptStatus } from 'service-kit/contract/notification.ts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { UndeliveredPolicy } from '../../src/domain/outcome.ts';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import { begin, body, build, day, hold, paymentOf, post, resend } from '../fixture.ts';

type App = Awaited<ReturnType<typeof build>>['app'];

const lost: Outcome = { outcome: 'unknown', reason: 'connection_lost' };
const refused: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };
const code = 'twilio_30003';

const report = (payload: unknown): InjectOptions => ({
  method: 'POST',
  url: '/receipts',
  headers: { 'content-type': 'application/json' },
  payload: JSON.stringify(payload),
});
const receipt = (payment: PaymentView, attempt: number, fields: Partial<Receipt> = {}): Receipt => ({
  provider: 'Twilio',
  message_id: 'SM1',
  idempotency_key: `${payment.payment_id}-${attempt}`,
  status: 'delivered',
  reason: null,
  ...fields,
});
const failure = { status: 'undelivered', reason: code } as const;
const find = async (app: App, { payment_id }: PaymentView) =>
  paymentOf(await app.inject(`/payments/${payment_id}`));

/** A payment whose second attempt is Twilio's, accepted unless a test gives another outcome. */
async function sentByTwilio(
  aldeamo: Outcome = refused,
  twilio: Outcome = { outcome: 'accepted', message_id: 'SM1' },
) {
  const built = await build();
  built.clients.Aldeamo.answer = async () => aldeamo;
  built.clients.Twilio.answer = async () => twilio;
  return { ...built, payment: paymentOf(await built.app.inject(post(body))) };
}

test('POST /receipts, given a delivered SMS, marks the notification as delivered', async () => {
  const { app, payment } = await sentByTwilio();
  expect(payment.notification_status).toBe('sent');
  const response = await app.inject(report(receipt(payment, 2)));
  expect([response.statusCode, response.body]).toEqual([204, '']);
  const delivered = await find(app, payment);
  expect(delivered).toMatchObject({
    notification_status: 'delivered',
    notification_service: 'Twilio',
  });
  const { at } = delivered.notification.attempts[1]?.delivery ?? {};
  expect(delivered.delivered_at).toBe(at);
  expect(delivered.notification.attempts[1]).toEqual({
    ...payment.notification.attempts[1],
    deliveries: [{ status: 'delivered', reason: null, at }],
    delivery: { status: 'delivered', reason: null, at },
  });
});

test("POST /receipts, given the provider's own time, records it", async () => {
  const { app, payment } = await sentByTwilio();
  const at = '2026-01-01T00:00:00.000Z';
  await app.inject(report(receipt(payment, 2, { at })));
  expect(await find(app, payment)).toMatchObject({ delivered_at: at });
});

test('POST /receipts, given a time of the future, responds 400 and changes nothing', async () => {
  const { app, payment } = await sentByTwilio();
  const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  const response = await app.inject(report(receipt(payment, 2, { at: inMinutes(6) })));
  expect([response.statusCode, response.json().type]).toEqual([400, '/problems/receipt-of-the-future']);
  expect(await find(app, payment)).toEqual(payment);
  // The clocks of two hosts differ a little.
  expect((await app.inject(report(receipt(payment, 2, { at: inMinutes(4) })))).statusCode).toBe(204);
});

const aldeamoReceipt = (payment: PaymentView, fields: Partial<Receipt>) =>
  report(receipt(payment, 1, { provider: 'Aldeamo', message_id: 'AL1', ...fields }));

/** A payment that Aldeamo took. */
async function sentByAldeamo(undelivered?: UndeliveredPolicy) {
  const built = await build(undelivered ? { undelivered } : {});
  built.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL1' });
  return { ...built, payment: paymentOf(await built.app.inject(post(body))) };
}

describe('a receipt that an accepted SMS did not arrive', () => {
  test.each<[ReceiptStatus, UndeliveredPolicy, PaymentView['notification_status'], string | null]>([
    ['not_sent', 'resend', 'pending', null],
    ['not_sent', 'fail', 'pending', null],
    ['undelivered', 'resend', 'pending', null],
    ['undelivered', 'fail', 'failed', 'c1'],
    ['filtered', 'resend', 'failed', 'c1'],
    ['refused', 'resend', 'failed', 'c1'],
  ])('given %s and UNDELIVERED_POLICY=%s, makes the notification %s', async (status, policy, expected, reason) => {
    const { app, payment } = await sentByAldeamo(policy);
    await app.inject(aldeamoReceipt(payment, { status, reason: 'c1' }));
    const found = await find(app, payment);
    expect(found).toMatchObject({
      notification_status: expected,
      notification_service: 'Aldeamo',
      sent_at: payment.sent_at,
      delivered_at: null,
      possible_duplicate: false,
      notification: { reason, next_attempt_at: expected === 'pending' ? expect.any(String) : null },
    });
    const [attempt] = payment.notification.attempts;
    const seen = status === 'not_sent' ? status : 'undelivered';
    const at = expect.any(String);
    expect(found.notification.attempts).toEqual([
      {
        ...attempt,
        deliveries: [{ status, reason: 'c1', at }],
        delivery: { status: seen, reason: 'c1', at },
      },
    ]);
  });

  test('given a notification that has expired, fails it with its reason', async () => {
    const { app, payment } = await sentByAldeamo();
    vi.useFakeTimers({ now: Date.now() + day, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    await app.inject(aldeamoReceipt(payment, failure));
    expect(await find(app, payment)).toMatchObject({
      notification_status: 'failed',
      notification: { reason: code },
    });
  });

  test('given that no provider is left, fails it, and a resend tries all of them', async () => {
    const { app, payment, calls } = await sentByTwilio(lost);
    expect(payment.possible_duplicate).toBe(true);
    await app.inject(report(receipt(payment, 1, { provider: 'Aldeamo', message_id: 'AL1', ...failure })));
    await app.inject(report(receipt(payment, 2, failure)));
    expect(await find(app, payment)).toMatchObject({
      notification_status: 'failed',
      possible_duplicate: true,
      notification: { reason: code },
    });
    const before = calls.length;
    await app.inject(resend(payment.payment_id));
    expect(calls.slice(before).map(({ provider }) => provider)).toEqual(['Aldeamo', 'Twilio']);
  });

  test('given a recipient that refused it, needs another phone for a resend', async () => {
    const { app, payment, calls } = await sentByTwilio();
    await app.inject(report(receipt(payment, 2, { status: 'refused', reason: 'twilio_30006' })));
    const before = calls.length;
    expect((await app.inject(resend(payment.payment_id))).json().type).toBe('/problems/recipient-rejected');
    expect(calls).toHaveLength(before);
    expect((await app.inject(resend(payment.payment_id, { phone: '+573007654321' }))).statusCode).toBe(200);
    expect(calls.length).toBeGreaterThan(before);
  });

  test('given a filtered text, is resent by the other provider', async () => {
    const { app, payment, calls } = await sentByAldeamo();
    await app.inject(aldeamoReceipt(payment, { status: 'filtered', reason: 'c1' }));
    await app.inject(resend(payment.payment_id));
    expect(calls.map(({ provider }) => provider)).toEqual(['Aldeamo', 'Twilio']);
    expect(await find(app, payment)).toMatchObject({
      notification_service: 'Twilio',
      notification_status: 'sent',
    });
  });
});

describe('the notification status', () => {
  test.each<[first: Partial<Receipt>, second: Partial<Receipt>, status: string]>([
    [{}, failure, 'delivered'],
    [{ status: 'refused', reason: code }, {}, 'delivered'],
    [{ status: 'refused', reason: code }, failure, 'failed'],
    [{ status: 'refused', reason: code }, { status: 'not_sent', reason: code }, 'failed'],
  ])('given the receipt %j, then %j, is %s', async (first, second, status) => {
    const { app, payment } = await sentByTwilio();
    await app.inject(report(receipt(payment, 2, first)));
    const before = await find(app, payment);
    for (const _twice of [1, 2])
      expect((await app.inject(report(receipt(payment, 2, second)))).statusCode).toBe(204);
    const found = await find(app, payment);
    expect(found.notification_status).toBe(status);
    expect(found.notification.attempts[1]?.deliveries).toHaveLength(2);
    for (const _again of [1, 2]) await app.inject(report(receipt(payment, 2, first)));
    expect(await find(app, payment)).toEqual(found);
    expect(found.notification.attempts[1]?.deliveries[0]).toEqual(
      before.notification.attempts[1]?.deliveries[0],
    );
  });
});

describe('an attempt with an unknown outcome', () => {
  test('given a delivered SMS, is accepted', async () => {
    const { app, payment } = await sentByTwilio(refused, lost);
    expect(payment.notification_status).toBe('pending');
    await app.inject(report(receipt(payment, 2)));
    const delivered = await find(app, payment);
    expect(delivered).toMatchObject({
      notification_status: 'delivered',
      notification_service: 'Twilio',
      possible_duplicate: false,
      notification: { next_attempt_at: null },
    });
    expect(delivered.notification.attempts[1]).toMatchObject({
      outcome: 'accepted',
      reason: null,
      message_id: 'SM1',
    });
  });

  test('given an undelivered SMS, was accepted, and the other provider is next', async () => {
    const { app, payment } = await sentByTwilio(refused, lost);
    await app.inject(report(receipt(payment, 2, failure)));
    expect(await find(app, payment)).toMatchObject({
      notification_status: 'pending',
      notification_service: 'Twilio',
      notification: {
        next_attempt_at: expect.any(String),
        attempts: [{}, { outcome: 'accepted', message_id: 'SM1', delivery: { status: 'undelivered' } }],
      },
    });
  });

  test('given an SMS that was not sent, no longer makes a duplicate possible', async () => {
    const { app, payment } = await sentByTwilio(lost);
    expect(payment.possible_duplicate).toBe(true);
    await app.inject(
      report(
        receipt(payment, 1, { provider: 'Aldeamo', message_id: 'AL1', status: 'not_sent', reason: code }),
      ),
    );
    const settled = await find(app, payment);
    expect(settled).toMatchObject({ notification_status: 'sent', notification_service: 'Twilio' });
    expect(settled.possible_duplicate).toBe(false);
  });
});

test.each<[string, Partial<Receipt>]>([
  ['another payment', { idempotency_key: 'pmt_nope-1' }],
  ['another attempt', { idempotency_key: 'KEY-3' }],
  ['no attempt', { idempotency_key: 'KEY' }],
  ['a key that no store can hold', { idempotency_key: 'KEY\u0000-2' }],
  ['the attempt of another provider', { idempotency_key: 'KEY-1' }],
  ['another message', { message_id: 'SM2' }],
])('POST /receipts, given %s, responds 404 and changes nothing', async (_name, fields) => {
  const { app, payment } = await sentByTwilio();
  const idempotency_key = (fields.idempotency_key ?? 'KEY-2').replace('KEY', payment.payment_id);
  const response = await app.inject(report({ ...receipt(payment, 2), ...fields, idempotency_key }));
  expect(response.statusCode).toBe(404);
  expect(await find(app, payment)).toEqual(payment);
});

test('POST /receipts, given a receipt before the answer of the provider, responds 409, and accepts it later', async () => {
  const { app, clients, store } = await build();
  const { letGo, called } = hold(clients.Aldeamo);
  const paying = begin(app, post(body));
  await called;
  const [running] = (await store.list({ limit: 1 }))?.payments ?? [];
  const early = report({
    ...receipt({ payment_id: running?.payment_id } as PaymentView, 1),
    provider: 'Aldeamo',
    message_id: 'AL1',
  });
  const response = await app.inject(early);
  expect([response.statusCode, response.headers['retry-after']]).toEqual([409, '1']);
  letGo();
  expect(paymentOf(await paying).notification_status).toBe('sent');
  expect((await app.inject(early)).statusCode).toBe(204);
});

test('POST /receipts, given the id as the provider wrote it, finds the attempt, however odd that is', async () => {
  const odd = `SM\u0000\ud800${'x'.repeat(400)}`;
  const message_id = `SM\ufffd\ufffd${'x'.repeat(251)}`;
  const { app, payment } = await sentByTwilio(refused, { outcome: 'accepted', message_id });
  const response = await app.inject(report(receipt(payment, 2, { message_id: odd, ...failure })));
  expect(response.statusCode).toBe(204);
  expect((await find(app, payment)).notification.attempts[1]).toMatchObject({
    message_id,
    delivery: { reason: code },
  });
});

test('POST /receipts, given a reason that cannot be printed or stored, records it without that', async () => {
  const { app, payment } = await sentByTwilio();
  const reason = `no\u0000\u202e${'x'.repeat(400)}`;
  const response = await app.inject(report(receipt(payment, 2, { status: 'filtered', reason })));
  expect(response.statusCode).toBe(204);
  expect((await find(app, payment)).notification.reason).toBe(`no\ufffd\ufffd${'x'.repeat(196)}`);
});

test.each([
  {},
  { provider: 'Other' },
  { status: 'queued' },
  { status: 'failed' },
  { at: 'yesterday' },
  { reason: undefined },
])('POST /receipts, given the fields %j, responds 400', async (fields) => {
  const { app, payment } = await sentByTwilio();
  const payload = Object.keys(fields).length === 0 ? {} : { ...receipt(payment, 2), ...fields };
  expect((await app.inject(report(payload))).statusCode).toBe(400);
});
