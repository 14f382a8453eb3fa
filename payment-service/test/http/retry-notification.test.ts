import type { InjectOptions } from 'fastify';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test } from 'vitest';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { begin, body, build, day, hold, paymentOf, post, refused } from '../fixture.ts';
import { paymentNumber, running } from '../store/store-contract.ts';

describe('POST /payments/{id}/notification/retry', () => {
  const retry = (payment_id: string, payload?: unknown): InjectOptions => ({
    method: 'POST',
    url: `/payments/${payment_id}/notification/retry`,
    ...(payload !== undefined && {
      headers: { 'content-type': 'application/json' },
      payload: JSON.stringify(payload),
    }),
  });
  const started_at = '2026-01-01T00:00:00.000Z';
  const unknown: Attempt = {
    ...{ provider: 'Aldeamo', outcome: 'unknown', reason: 'interrupted' },
    ...{ message_id: null, started_at, duration_ms: 1 },
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
    attempts: [unknown],
    reason: 'unknown_outcome',
  });

  test('of a payment that does not exist: 404', async () => {
    const { app } = await build();
    const response = await app.inject(retry('pmt_x'));
    expect([response.statusCode, response.json().type]).toEqual([404, 'urn:problem:payment-not-found']);
  });

  test.each<[what: string, fields: Partial<Payment>]>([
    ['sent', { notification_status: 'sent', notification_service: 'Aldeamo' }],
    ['delivered', { notification_status: 'delivered', notification_service: 'Aldeamo' }],
    ['scheduled', { attempts: [refusal], next_attempt_at: '2998-01-01T00:00:00.000Z' }],
    ['running', { attempts: running() }],
  ])('of what is %s: 409, and nothing changes', async (_what, fields) => {
    const { app, store, calls } = await build();
    const payment = paymentNumber(1, fields);
    await store.insert(payment);
    for (const payload of [undefined, { phone }]) {
      const response = await app.inject(retry(payment.payment_id, payload));
      expect(response.statusCode).toBe(409);
      expect(problemSchema.parse(response.json()).type).toBe('urn:problem:nothing-to-retry');
    }
    expect(await store.find(payment.payment_id)).toStrictEqual(payment);
    expect(calls).toEqual([]);
  });

  test.each<[what: string, payment: Payment, attempts: string[], duplicate: boolean]>([
    ['expired', expired, ['not_sent', 'accepted'], false],
    ['held', held, ['unknown', 'accepted'], true],
  ])('of what is %s: it is sent', async (_what, payment, attempts, duplicate) => {
    const { app, store, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(payment);
    const response = await app.inject(retry(payment.payment_id));
    expect(response.statusCode).toBe(200);
    const retried = paymentOf(response);
    expect(retried).toMatchObject({
      notification_status: 'sent',
      notification_service: 'Aldeamo',
      possible_duplicate: duplicate,
      notification: { reason: null, next_attempt_at: null },
    });
    expect(retried.notification.attempts.map(({ outcome }) => outcome)).toEqual(attempts);
    expect(calls).toMatchObject([{ provider: 'Aldeamo', key: `${payment.payment_id}-2` }]);
    expect((await app.inject(`/payments/${payment.payment_id}`)).body).toBe(response.body);
    expect((await app.inject(retry(payment.payment_id))).statusCode).toBe(409);
  });

  test('of what is held, and was accepted after all: it is found, and not sent again', async () => {
    const { app, store, clients, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL7' });
    const retried = paymentOf(await app.inject(retry(held.payment_id)));
    expect(retried).toMatchObject({ notification_status: 'sent', possible_duplicate: false });
    expect(retried.notification.attempts).toMatchObject([{ outcome: 'accepted', message_id: 'AL7' }]);
    expect(calls).toEqual([]);
  });

  test('of what is held, and turns out to have been rejected: nobody is asked to get round it', async () => {
    const { app, store, clients, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    clients.Aldeamo.known = async () => ({ outcome: 'rejected', reason: 'opted_out' });
    const retried = paymentOf(await app.inject(retry(held.payment_id)));
    expect(retried).toMatchObject({ notification_status: 'failed', notification: { reason: 'opted_out' } });
    expect(calls).toEqual([]);
    expect((await app.inject(retry(held.payment_id))).json().type).toBe('urn:problem:recipient-rejected');
    expect((await app.inject(retry(held.payment_id, { phone }))).statusCode).toBe(200);
    expect(calls).toMatchObject([{ provider: 'Aldeamo', request: { phone } }]);
  });

  test("goes to the payment's own phone, whatever the customer's is by now", async () => {
    const { app, store, calls } = await build();
    await store.insert({ ...expired, phone });
    await store.putPhone(expired.customer_id, '+573009999999');
    await app.inject(retry(expired.payment_id));
    expect(calls).toMatchObject([{ request: { phone } }]);
  });

  test('of what is held is not held again for what was unknown before', async () => {
    const { app, store, clients } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    clients.Aldeamo.answer = async () => refused;
    clients.Twilio.answer = async () => refused;
    await app.inject(retry(held.payment_id));
    const kept = await store.find(held.payment_id);
    expect(kept?.reopened).toBe(1);
    expect(kept).toMatchObject({ reason: null, next_attempt_at: expect.any(String) });
  });

  test('has its own time to live, and the outbox goes on with what could not be sent', async () => {
    const { app, store, clients } = await build();
    await store.insert(expired);
    clients.Aldeamo.answer = async () => refused;
    clients.Twilio.answer = async () => refused;
    const before = Date.now();
    const response = await app.inject(retry(expired.payment_id));
    expect(response.statusCode).toBe(200);
    const retried = paymentOf(response);
    expect(retried).toMatchObject({ notification_status: 'pending', notification: { reason: null } });
    expect(Date.parse(retried.notification.next_attempt_at ?? '')).toBeGreaterThanOrEqual(before);
    const { expires_at = '' } = (await store.find(expired.payment_id)) ?? {};
    expect(Date.parse(expires_at)).toBeGreaterThanOrEqual(before + day);
    expect((await app.inject(retry(expired.payment_id))).statusCode).toBe(409); // it is scheduled now
  });

  describe('of what was rejected', () => {
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

    test.each<[what: string, given: string | undefined, payload: unknown]>([
      ['without a phone', phone, undefined],
      ['with an empty body', phone, {}],
      ['with the same phone', phone, { phone }],
      ['where none was known, without one', undefined, {}],
    ])('%s: 409, and nobody is asked', async (_what, given, payload) => {
      const { app, store, calls, payment } = await buildRejected(given);
      const response = await app.inject(retry(payment.payment_id, payload));
      expect(response.statusCode).toBe(409);
      expect(problemSchema.parse(response.json()).type).toBe('urn:problem:recipient-rejected');
      expect(calls).toEqual([]);
      expect((await store.find(payment.payment_id))?.notification_status).toBe('failed');
    });

    test.each([[phone], [undefined]])('with a new phone, after %s: it is asked again', async (given) => {
      const { app, store, calls, payment } = await buildRejected(given);
      const response = await app.inject(retry(payment.payment_id, { phone: '+573009999999' }));
      expect(response.statusCode).toBe(200);
      expect(paymentOf(response)).toMatchObject({ notification_status: 'sent', possible_duplicate: false });
      expect(response.body).not.toContain('573009999999');
      expect(calls).toMatchObject([{ provider: 'Aldeamo', request: { phone: '+573009999999' } }]);
      expect((await store.find(payment.payment_id))?.phone).toBe('+573009999999');
    });

    test('with a new phone that is rejected, too: that one is not asked again, either', async () => {
      const { app, clients, calls, payment } = await buildRejected(phone);
      clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'opted_out' });
      const again = await app.inject(retry(payment.payment_id, { phone: '+573009999999' }));
      expect(paymentOf(again)).toMatchObject({
        notification_status: 'failed',
        notification: { reason: 'opted_out' },
      });
      expect((await app.inject(retry(payment.payment_id))).statusCode).toBe(409);
      expect((await app.inject(retry(payment.payment_id, { phone: '+573009999999' }))).statusCode).toBe(409);
      expect(calls).toHaveLength(1);
    });
  });

  test.each<[what: string, payload: unknown, path: string]>([
    ['a phone that is none', { phone: 'abc' }, 'phone'],
    ['a phone that is null', { phone: null }, 'phone'],
    ['an unknown field', { message: 'Hola' }, 'message'],
    ['an array', [], 'body'],
  ])('with %s: 400', async (_what, payload, path) => {
    const { app, store, calls } = await build();
    await store.insert(expired);
    const response = await app.inject(retry(expired.payment_id, payload));
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json()).errors).toMatchObject([{ path }]);
    expect(calls).toEqual([]);
    expect(await store.find(expired.payment_id)).toStrictEqual(expired);
  });

  test('twice at the same time: it is sent once', async () => {
    const { app, store, clients, calls } = await build();
    await store.insert(expired);
    const { letGo, called } = hold(clients.Aldeamo);
    const first = begin(app, retry(expired.payment_id));
    await called;
    expect((await app.inject(retry(expired.payment_id))).statusCode).toBe(409);
    letGo();
    expect((await first).statusCode).toBe(200);
    expect(calls).toHaveLength(1);
  });

  // While the provider is asked what it knows, the notification still looks as if nobody had taken it on: the second one
  // takes it over, and the first one's LeaseLost reaches the client as a 500.
  test('twice while a provider is asked about it: it is sent once, and the other is a 409', async () => {
    const { app, store, clients, calls } = await build({ unknownOutcome: 'hold' });
    await store.insert(held);
    const answer = Promise.withResolvers<Outcome | undefined>();
    let questions = 0;
    const twoAreAsked = Promise.withResolvers<void>();
    const oneIsAsked = Promise.withResolvers<void>();
    clients.Aldeamo.known = () => {
      questions += 1;
      if (questions === 1) oneIsAsked.resolve();
      if (questions === 2) twoAreAsked.resolve();
      return answer.promise;
    };
    const first = begin(app, retry(held.payment_id));
    await oneIsAsked.promise;
    const second = begin(app, retry(held.payment_id));
    await Promise.race([second, twoAreAsked.promise]);
    answer.resolve(undefined);
    const statuses = (await Promise.all([first, second])).map(({ statusCode }) => statusCode);
    expect(calls).toHaveLength(1);
    expect(statuses.toSorted()).toEqual([200, 409]);
  });

  test('while nobody can be asked: it waits, and the outbox takes it on', async () => {
    const { app, store, clients, calls } = await build();
    clients.Aldeamo.answer = async () => refused;
    clients.Twilio.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await app.inject(post(body));
    calls.length = 0;
    await store.insert(expired);
    const retried = paymentOf(await app.inject(retry(expired.payment_id)));
    expect(retried).toMatchObject({ notification_status: 'pending', notification_service: null });
    expect(retried.notification.attempts).toHaveLength(1);
    expect(retried.notification.next_attempt_at).not.toBeNull();
    expect(calls).toEqual([]);
  });

  test('where the store does not answer: 503', async () => {
    const { app, store, calls } = await build();
    await store.insert(expired);
    store.locked = true;
    expect((await app.inject(retry(expired.payment_id))).statusCode).toBe(503);
    expect(calls).toEqual([]);
  });
});
