import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test } from 'vitest';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { begin, body, build, day, hold, paymentOf, post, reason, refused, resend } from '../fixture.ts';
import { paymentNumber, running } from '../store/store-contract.ts';

describe('POST /payments/{id}/notification/resend', () => {
  const started_at = '2026-01-01T00:00:00.000Z';
  const unknown: Attempt = {
    ...{ provider: 'Aldeamo', outcome: 'unknown', reason: 'interrupted' },
    ...{ message_id: null, started_at, duration_ms: 1, mode: null, phone_last4: null },
    deliveries: [],
  };
  const refusal: Attempt = { ...unknown, outcome: 'not_sent', reason: 'connection_refused' };
  const phone = '+573001234567';
  const expired = paymentNumber(1, {
    notification_status: 'failed',
    expires_at: '2026-01-02T00:00:00.000Z',
    attempts: [refusal],
    reason: 'expired',
  });
  const held = paymentNumber(1, {
    notification_status: 'held',
    attempts: [unknown],
    reason: 'unknown_outcome',
  });

  const cancelled = paymentNumber(1, {
    ...{ notification_status: 'cancelled', reason: 'by_hand', attempts: [refusal] },
  });

  test('given an unknown payment, responds 404', async () => {
    const { app } = await build();
    const response = await app.inject(resend('pmt_x'));
    expect([response.statusCode, response.json().type]).toEqual([404, '/problems/payment-not-found']);
  });

  test.each<[what: string, fields: Partial<Payment>]>([
    ['scheduled', { attempts: [refusal], next_attempt_at: '2998-01-01T00:00:00.000Z' }],
    ['running', { attempts: running() }],
  ])('given a pending notification that is %s, responds 409 with what is allowed, and changes nothing', async (_what, fields) => {
    const { app, store, calls } = await build();
    const payment = paymentNumber(1, fields);
    await store.insert(payment);
    for (const changes of [{}, { phone }]) {
      const response = await app.inject(resend(payment.payment_id, changes));
      expect(response.statusCode).toBe(409);
      expect(problemSchema.parse(response.json())).toMatchObject({
        ...{ type: '/problems/action-not-allowed', notification_status: 'pending', allowed: ['cancel'] },
        detail: 'The notification is pending: it can be cancelled.',
      });
    }
    expect(await store.find(payment.payment_id)).toStrictEqual(payment);
    expect(calls).toEqual([]);
  });

  test.each<[what: string, payment: Payment, attempts: string[], duplicate: boolean]>([
    ['expired', expired, ['not_sent', 'accepted'], false],
    ['held', held, ['unknown', 'accepted'], true],
    ['cancelled', cancelled, ['not_sent', 'accepted'], false],
  ])('given a notification that is %s, sends it', async (_what, payment, attempts, duplicate) => {
    const { app, store, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(payment);
    const response = await app.inject(resend(payment.payment_id));
    expect(response.statusCode).toBe(200);
    const resent = paymentOf(response);
    expect(resent).toMatchObject({
      notification_status: 'sent',
      notification_service: 'Aldeamo',
      possible_duplicate: duplicate,
      notification: { reason: null, next_attempt_at: null },
    });
    expect(resent.notification.attempts.map(({ outcome }) => outcome)).toEqual(attempts);
    expect(calls).toMatchObject([{ provider: 'Aldeamo', key: `${payment.payment_id}-2` }]);
    expect((await app.inject(`/payments/${payment.payment_id}`)).body).toBe(response.body);
    expect(resent.actions).toEqual([
      { at: expect.any(String), by: null, action: 'resend', reason, provider: null },
    ]);
  });

  test('given a held notification that the provider has accepted, records that and sends nothing', async () => {
    const { app, store, clients, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL7' });
    const resent = paymentOf(await app.inject(resend(held.payment_id)));
    expect(resent).toMatchObject({ notification_status: 'sent', possible_duplicate: false });
    expect(resent.notification.attempts).toMatchObject([{ outcome: 'accepted', message_id: 'AL7' }]);
    expect(calls).toEqual([]);
  });

  test('given a held notification that the provider has rejected, fails it, and sends only to another phone', async () => {
    const { app, store, clients, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    clients.Aldeamo.known = async () => ({ outcome: 'rejected', reason: 'opted_out' });
    for (const status of ['held', 'failed']) {
      expect((await store.find(held.payment_id))?.notification_status).toBe(status);
      const response = await app.inject(resend(held.payment_id));
      expect([response.statusCode, response.json().type]).toEqual([409, '/problems/recipient-rejected']);
    }
    const failed = await store.find(held.payment_id);
    expect(failed).toMatchObject({ notification_status: 'failed', reason: 'opted_out', actions: [] });
    expect(calls).toEqual([]);
    expect((await app.inject(resend(held.payment_id, { phone }))).statusCode).toBe(200);
    expect(calls).toMatchObject([{ provider: 'Aldeamo', request: { phone } }]);
  });

  test("sends to the payment's own phone, not to the customer's", async () => {
    const { app, store, calls } = await build();
    await store.insert({ ...expired, phone });
    await store.putPhone(expired, '+573009999999');
    await app.inject(resend(expired.payment_id));
    expect(calls).toMatchObject([{ request: { phone } }]);
  });

  test('given a held notification, does not hold it again for the earlier unknown outcome', async () => {
    const { app, store, clients } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    clients.Aldeamo.answer = async () => refused;
    clients.Twilio.answer = async () => refused;
    await app.inject(resend(held.payment_id));
    const found = await store.find(held.payment_id);
    expect(found?.reopened).toBe(1);
    expect(found).toMatchObject({ reason: null, next_attempt_at: expect.any(String) });
  });

  test('given providers that fail, renews the time to live and schedules the next attempt', async () => {
    const { app, store, clients } = await build();
    await store.insert(expired);
    clients.Aldeamo.answer = async () => refused;
    clients.Twilio.answer = async () => refused;
    const before = Date.now();
    const response = await app.inject(resend(expired.payment_id));
    expect(response.statusCode).toBe(200);
    const resent = paymentOf(response);
    expect(resent).toMatchObject({ notification_status: 'pending', notification: { reason: null } });
    expect(Date.parse(resent.notification.next_attempt_at ?? '')).toBeGreaterThanOrEqual(before);
    const { expires_at = '' } = (await store.find(expired.payment_id)) ?? {};
    expect(Date.parse(expires_at)).toBeGreaterThanOrEqual(before + day);
    expect((await app.inject(resend(expired.payment_id))).statusCode).toBe(409); // it is scheduled now
  });

  describe('given a rejected recipient', () => {
    async function buildRejected(given?: string) {
      const built = await build();
      built.clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'invalid_phone' });
      const payment = paymentOf(await built.app.inject(post({ ...body, ...(given && { phone: given }) })));
      expect(payment).toMatchObject({
        notification_status: 'failed',
        notification: { reason: 'invalid_phone' },
      });
      built.calls.length = 0;
      built.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL2' });
      return { ...built, payment };
    }

    test.each<[what: string, given: string | undefined, payload: object]>([
      ['without a phone', phone, {}],
      ['with the same phone', phone, { phone }],
      ['without a phone where none is stored', undefined, {}],
    ])('and a resend %s, responds 409 without a call to a provider', async (_what, given, payload) => {
      const { app, store, calls, payment } = await buildRejected(given);
      const response = await app.inject(resend(payment.payment_id, payload));
      expect(response.statusCode).toBe(409);
      expect(problemSchema.parse(response.json()).type).toBe('/problems/recipient-rejected');
      expect(calls).toEqual([]);
      expect((await store.find(payment.payment_id))?.notification_status).toBe('failed');
    });

    test.each([[phone], [undefined]])('and a new phone after %s, sends to the new one', async (given) => {
      const { app, store, calls, payment } = await buildRejected(given);
      const response = await app.inject(resend(payment.payment_id, { phone: '+573009999999' }));
      expect(response.statusCode).toBe(200);
      expect(paymentOf(response)).toMatchObject({ notification_status: 'sent', possible_duplicate: false });
      expect(response.body).not.toContain('573009999999');
      expect(calls).toMatchObject([{ provider: 'Aldeamo', request: { phone: '+573009999999' } }]);
      expect((await store.find(payment.payment_id))?.phone).toBe('+573009999999');
    });

    test('and another phone meanwhile, does not send to the rejected one again', async () => {
      const { app, clients, calls, payment } = await buildRejected(phone);
      clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL3' });
      await app.inject(resend(payment.payment_id, { phone: '+573009999999' }));
      const again = await app.inject(resend(payment.payment_id, { phone }));
      expect([again.statusCode, again.json().type]).toEqual([409, '/problems/recipient-rejected']);
      expect(calls).toHaveLength(1);
    });

    test('and a new phone that is rejected as well, does not send to it again', async () => {
      const { app, clients, calls, payment } = await buildRejected(phone);
      clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'opted_out' });
      const again = await app.inject(resend(payment.payment_id, { phone: '+573009999999' }));
      expect(paymentOf(again)).toMatchObject({
        notification_status: 'failed',
        notification: { reason: 'opted_out' },
      });
      expect((await app.inject(resend(payment.payment_id))).statusCode).toBe(409);
      expect((await app.inject(resend(payment.payment_id, { phone: '+573009999999' }))).statusCode).toBe(409);
      expect(calls).toHaveLength(1);
    });
  });

  test.each<[what: string, payload: object, path: string]>([
    ['an invalid phone', { phone: 'abc' }, 'phone'],
    ['a null phone', { phone: null }, 'phone'],
    ['an unknown field', { message: 'Hola' }, 'message'],
    ['no reason', { reason: undefined }, 'reason'],
    ['a blank reason', { reason: ' ' }, 'reason'],
    ['a phone in the reason', { reason: 'call 300 123 4567' }, 'reason'],
    ['an unknown provider', { provider: 'Infobip' }, 'provider'],
  ])('given %s, responds 400', async (_what, payload, path) => {
    const { app, store, calls } = await build();
    await store.insert(expired);
    const response = await app.inject(resend(expired.payment_id, payload));
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json()).errors).toMatchObject([{ path }]);
    expect(calls).toEqual([]);
    expect(await store.find(expired.payment_id)).toStrictEqual(expired);
  });

  test('given two concurrent requests, sends once', async () => {
    const { app, store, clients, calls } = await build();
    await store.insert(expired);
    const { letGo, called } = hold(clients.Aldeamo);
    const first = begin(app, resend(expired.payment_id));
    await called;
    expect((await app.inject(resend(expired.payment_id))).statusCode).toBe(409);
    letGo();
    expect((await first).statusCode).toBe(200);
    expect(calls).toHaveLength(1);
  });

  // If the notification were not claimed before the provider's status query, the second request would take the lease, and the
  // LeaseLost of the first would reach the client as a 500.
  test('given two requests during a status query, sends once, and responds 409 to the other', async () => {
    const { app, store, clients, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    const answer = Promise.withResolvers<Outcome | undefined>();
    let queries = 0;
    const secondQuery = Promise.withResolvers<void>();
    const firstQuery = Promise.withResolvers<void>();
    clients.Aldeamo.known = () => {
      queries += 1;
      if (queries === 1) firstQuery.resolve();
      if (queries === 2) secondQuery.resolve();
      return answer.promise;
    };
    const first = begin(app, resend(held.payment_id));
    await firstQuery.promise;
    const second = begin(app, resend(held.payment_id));
    await Promise.race([second, secondQuery.promise]);
    answer.resolve(undefined);
    const statuses = (await Promise.all([first, second])).map(({ statusCode }) => statusCode);
    expect(calls).toHaveLength(1);
    expect(statuses.toSorted()).toEqual([200, 409]);
  });

  test('given open circuits, leaves the notification to the outbox', async () => {
    const { app, store, clients, calls } = await build();
    clients.Aldeamo.answer = async () => refused;
    clients.Twilio.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await app.inject(post(body));
    calls.length = 0;
    await store.insert(expired);
    const resent = paymentOf(await app.inject(resend(expired.payment_id)));
    expect(resent).toMatchObject({ notification_status: 'pending', notification_service: null });
    expect(resent.notification.attempts.map(({ reason: why }) => why)).toEqual([
      ...['connection_refused', 'circuit_open', 'circuit_open'],
    ]);
    expect(resent.notification.next_attempt_at).not.toBeNull();
    expect(calls).toEqual([]);
  });

  test('given an unavailable store, responds 503', async () => {
    const { app, store, calls } = await build();
    await store.insert(expired);
    store.locked = true;
    expect((await app.inject(resend(expired.payment_id))).statusCode).toBe(503);
    expect(calls).toEqual([]);
  });
});
