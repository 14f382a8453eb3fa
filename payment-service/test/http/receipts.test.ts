import type { InjectOptions } from 'fastify';
import type { Outcome, Receipt } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import { begin, body, build, hold, paymentOf, post } from '../fixture.ts';

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
const failure = { status: 'failed', reason: code } as const;
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
  expect(await find(app, payment)).toEqual({ ...payment, notification_status: 'delivered' });
});

test("POST /receipts, given a failed SMS, fails the notification with the provider's code, and allows a retry", async () => {
  const { app, payment, calls } = await sentByTwilio();
  await app.inject(report(receipt(payment, 2, failure)));
  const failed = await find(app, payment);
  expect(failed).toMatchObject({
    notification_status: 'failed',
    notification_service: null,
    notification: { reason: code, next_attempt_at: null },
  });
  expect(failed.notification.attempts[1]).toMatchObject({
    outcome: 'not_sent',
    reason: code,
    message_id: 'SM1',
  });

  const retry: InjectOptions = { method: 'POST', url: `/payments/${payment.payment_id}/notification/retry` };
  expect(paymentOf(await app.inject(retry))).toMatchObject({
    notification_status: 'sent',
    possible_duplicate: false,
  });
  expect(calls.at(-1)?.key).toBe(`${payment.payment_id}-4`);
});

test('POST /receipts, given a rejected recipient, fails the notification without a retry', async () => {
  const { app, payment, calls } = await sentByTwilio();
  await app.inject(report(receipt(payment, 2, { status: 'rejected', reason: 'twilio_30006' })));
  const rejected = await find(app, payment);
  expect(rejected).toMatchObject({ notification_status: 'failed', notification: { reason: 'twilio_30006' } });
  const before = calls.length;
  const retry: InjectOptions = { method: 'POST', url: `/payments/${payment.payment_id}/notification/retry` };
  expect((await app.inject(retry)).json().type).toBe('urn:problem:recipient-rejected');
  expect(calls).toHaveLength(before);
});

describe('the notification status', () => {
  test.each<[first: Partial<Receipt>, second: Partial<Receipt>, status: string]>([
    [{}, {}, 'delivered'],
    [{}, failure, 'delivered'],
    [failure, {}, 'failed'],
    [failure, failure, 'failed'],
  ])('given the receipt %j, then %j, stays %s', async (first, second, status) => {
    const { app, payment } = await sentByTwilio();
    await app.inject(report(receipt(payment, 2, first)));
    const before = await find(app, payment);
    expect((await app.inject(report(receipt(payment, 2, second)))).statusCode).toBe(204);
    expect(before.notification_status).toBe(status);
    expect(await find(app, payment)).toEqual(before);
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

  test('given a failed SMS, is not sent, and the notification fails', async () => {
    const { app, payment } = await sentByTwilio(refused, lost);
    await app.inject(report(receipt(payment, 2, failure)));
    expect(await find(app, payment)).toMatchObject({
      notification_status: 'failed',
      notification: { reason: code, next_attempt_at: null },
    });
  });

  test('given a failed SMS, no longer makes a duplicate possible', async () => {
    const { app, payment } = await sentByTwilio(lost);
    expect(payment.possible_duplicate).toBe(true);
    await app.inject(report(receipt(payment, 1, { provider: 'Aldeamo', message_id: 'AL1', ...failure })));
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
  const [running] =
    (
      await store.list({
        limit: 1,
        starting_after: undefined,
        customer_id: undefined,
        notification_status: undefined,
      })
    )?.payments ?? [];
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
  expect((await find(app, payment)).notification.attempts[1]).toMatchObject({ message_id, reason: code });
});

test('POST /receipts, given a reason that cannot be printed or stored, records it without that', async () => {
  const { app, payment } = await sentByTwilio();
  const reason = `no\u0000\u202e${'x'.repeat(400)}`;
  const response = await app.inject(report(receipt(payment, 2, { status: 'failed', reason })));
  expect(response.statusCode).toBe(204);
  expect((await find(app, payment)).notification.reason).toBe(`no\ufffd\ufffd${'x'.repeat(196)}`);
});

test.each([
  {},
  { provider: 'Other' },
  { status: 'queued' },
  { reason: undefined },
])('POST /receipts, given the fields %j, responds 400', async (fields) => {
  const { app, payment } = await sentByTwilio();
  const payload = Object.keys(fields).length === 0 ? {} : { ...receipt(payment, 2), ...fields };
  expect((await app.inject(report(payload))).statusCode).toBe(400);
});
