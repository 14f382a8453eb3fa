import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, test, vi } from 'vitest';
import type { Payment } from '../../src/domain/payment.ts';
import { newSuppression } from '../../src/domain/suppression.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { build, hold, keyed, paymentOf, post, refused, resend } from '../fixture.ts';
import { customer } from '../store/customer.ts';
import { paymentNumber } from '../store/store-contract.ts';

const phone = '+573001234567';
const other = '+573009999999';
const body = { amount: 100, customer_id: '1', phone };
const optedOut = { outcome: 'rejected', reason: 'opted_out' } as const;
const ended = { notification_status: 'failed', notification_service: null };

const suppressPhone = (store: Store) =>
  store.putSuppression(
    newSuppression({ phone, source: 'opt_out', reason: 'STOP', provider: 'Twilio', payment_id: null }),
  );

async function viewOf(app: Server, payment_id: string) {
  return paymentOf(await app.inject({ method: 'GET', url: `/payments/${payment_id}` }));
}

describe('a payment to a suppressed phone', () => {
  test.each([
    [201, {}],
    [202, { prefer: 'respond-async' }],
    [201, { prefer: 'respond-async, wait=2' }],
  ])('is answered with %i and as it is on record, and no provider is called', async (status, headers) => {
    const { app, store, calls, lines } = await build();
    await suppressPhone(store);
    const request = post(body);
    const response = await app.inject({ ...request, headers: { ...request.headers, ...headers } });
    expect(response.statusCode).toBe(status);
    const payment = paymentOf(response);
    expect(payment).toMatchObject({
      ...ended,
      notification: { reason: 'suppressed', attempts: [], next_attempt_at: null },
    });
    expect(await viewOf(app, payment.payment_id)).toEqual(payment);
    expect(calls).toEqual([]);
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'notification handled',
        payment_id: payment.payment_id,
        reason: 'suppressed',
      }),
    );
  });

  test("is suppressed by its customer's phone, too", async () => {
    const { app, store, calls } = await build();
    await store.putPhone(customer('1'), phone);
    await suppressPhone(store);
    const response = await app.inject(post({ amount: 100, customer_id: '1' }));
    expect(paymentOf(response)).toMatchObject({ ...ended, notification: { reason: 'suppressed' } });
    expect(calls).toEqual([]);
  });

  test.each([
    [201, 'a provider is available', {}, {}],
    [202, 'a provider is available', { prefer: 'respond-async' }, {}],
    [201, 'the providers are paused', {}, { ...refused, retry_after_ms: 60_000 }],
  ])('with a key, answered with %i while %s, is replayed byte for byte, also after a resend to another phone', async (status, _, headers, pause) => {
    const { app, store, clients } = await build();
    if ('outcome' in pause) {
      for (const client of Object.values(clients)) client.answer = async () => pause;
      await app.inject(post({ ...body, phone: other }));
    }
    await suppressPhone(store);
    const first = await app.inject(keyed('key', body, headers));
    const { payment_id } = paymentOf(first);
    expect([first.statusCode, paymentOf(first)]).toMatchObject([status, ended]);
    for (const client of Object.values(clients))
      client.answer = async () => ({ outcome: 'accepted', message_id: 'SM1' });
    await app.inject(resend(payment_id, { phone: other }));
    const again = await app.inject(keyed('key', body, headers));
    expect([again.statusCode, again.body]).toEqual([status, first.body]);
    expect(again.headers['idempotent-replayed']).toBe('true');
  });

  test('whose answer cannot be stored for its key is answered 503, and by the same key with the record', async () => {
    const { app, store } = await build();
    await suppressPhone(store);
    const failing = vi.spyOn(store, 'storeAnswer').mockRejectedValueOnce(new StoreUnavailable('gone'));
    expect((await app.inject(keyed('key', body))).statusCode).toBe(503);
    expect(failing).toHaveBeenCalledTimes(1);
    const again = await app.inject(keyed('key', body));
    expect([again.statusCode, paymentOf(again)]).toMatchObject([201, ended]);
  });

  test('costs one statement, and another one if it has a key; one that is sent costs as many as before', async () => {
    const { app, store } = await build();
    const counted = ['insert', 'update', 'storeAnswer', 'findSuppression', 'find', 'findKey'] as const;
    const spies = counted.map((name) => vi.spyOn(store, name));
    const statements = () =>
      spies.flatMap(({ mock }, index) => mock.calls.map(() => counted[index])).splice(0);
    await app.inject(keyed('sent', body));
    expect(statements()).toEqual(['insert', 'update']);
    for (const spy of spies) spy.mockClear();
    await suppressPhone(store);
    await app.inject(keyed('suppressed', body));
    expect(statements()).toEqual(['insert', 'storeAnswer']);
    for (const spy of spies) spy.mockClear();
    await app.inject(post(body));
    expect(statements()).toEqual(['insert']);
  });
});

describe('a phone that is suppressed while its notification is under way', () => {
  const begun = async (app: Server, request = post(body)) => app.inject(request);

  test('is not sent to by the other provider: the notification ends with its history, and so does the answer', async () => {
    const { app, store, clients, calls } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const responding = begun(app, keyed('key', body));
    void responding.then(() => {});
    await called;
    await suppressPhone(store);
    letGo(refused);
    const response = await responding;
    const payment = paymentOf(response);
    expect([response.statusCode, payment]).toMatchObject([
      201,
      { ...ended, notification: { reason: 'suppressed', attempts: [{ outcome: 'not_sent' }] } },
    ]);
    expect(await viewOf(app, payment.payment_id)).toEqual(payment);
    expect((await app.inject(keyed('key', body))).body).toBe(response.body);
    expect(calls.map(({ provider }) => provider)).toEqual(['Aldeamo']);
  });

  test('is recorded as accepted if the provider took the SMS before', async () => {
    const { app, store, clients } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const responding = begun(app);
    void responding.then(() => {});
    await called;
    await suppressPhone(store);
    letGo();
    expect(paymentOf(await responding)).toMatchObject({ notification_status: 'sent' });
  });
});

describe('a notification that is due, whose phone was suppressed since', () => {
  const past = '2026-01-01T00:00:00.000Z';
  const expires_at = '2998-01-01T00:00:00.000Z';
  const attempt = {
    ...({ provider: 'Aldeamo', reason: 'connection_refused', message_id: null, mode: null } as const),
    ...{ started_at: past, duration_ms: 1, phone_last4: '4567', deliveries: [] },
  };
  const due = (outcome: 'unknown' | 'not_sent', fields: Partial<Payment> = {}) =>
    paymentNumber(1, {
      phone,
      expires_at,
      next_attempt_at: past,
      attempts: [{ ...attempt, outcome }],
      ...fields,
    });

  type Built = Awaited<ReturnType<typeof build>>;

  async function resume(payment: Payment, prepare: (built: Built) => unknown = () => {}, options = {}) {
    const built = await build(options);
    await prepare(built);
    const before = built.calls.length;
    await built.store.insert({ ...payment, next_attempt_at: expires_at });
    await suppressPhone(built.store);
    await built.store.update(payment); // due from now on
    await vi.waitFor(
      async () =>
        expect(await built.store.find(payment.payment_id)).not.toMatchObject({
          notification_status: payment.notification_status,
          attempts: payment.attempts,
        }),
      3000,
    );
    const resumed = (await built.store.find(payment.payment_id)) as Payment;
    return { ...built, calls: built.calls.slice(before), resumed };
  }

  const settle =
    (known: Built['clients']['Aldeamo']['known']) =>
    ({ clients }: Built) => {
      clients.Aldeamo.known = known;
    };

  test('fails as suppressed, with its attempts, and no provider is called', async () => {
    const payment = due('not_sent');
    const { resumed, calls } = await resume(payment);
    expect(resumed).toMatchObject({
      ...ended,
      reason: 'suppressed',
      next_attempt_at: null,
      attempts: payment.attempts,
    });
    expect(calls).toEqual([]);
  });

  test('fails also while no provider is available', async () => {
    const { resumed } = await resume(due('not_sent'), async ({ app, clients }) => {
      for (const client of Object.values(clients))
        client.answer = async () => ({ ...refused, retry_after_ms: 60_000 });
      await app.inject(post({ ...body, phone: other }));
    });
    expect(resumed).toMatchObject({ ...ended, reason: 'suppressed' });
  });

  test('counts as no SMS to its recipient', async () => {
    const taking = vi.fn();
    const bounds = { modeOf: () => 'live' as const, maxPerRecipientPerHour: 5 };
    const { resumed } = await resume(
      due('not_sent'),
      ({ store }) => vi.spyOn(store, 'takeOfRecipient').mockImplementation(taking),
      { bounds },
    );
    expect(resumed).toMatchObject({ ...ended, reason: 'suppressed' });
    expect(taking).not.toHaveBeenCalled();
  });

  test('is held by a bound and fails all the same', async () => {
    const { resumed } = await resume(due('not_sent', { notification_status: 'held', reason: 'daily_limit' }));
    expect(resumed).toMatchObject({ ...ended, reason: 'suppressed' });
  });

  test('given an unknown outcome that turns out to be accepted, is sent', async () => {
    const { resumed, calls } = await resume(
      due('unknown'),
      settle(async () => ({ outcome: 'accepted', message_id: 'AL1' })),
    );
    expect(resumed).toMatchObject({ notification_status: 'sent', attempts: [{ outcome: 'accepted' }] });
    expect(calls).toEqual([]);
  });

  test('given an unknown outcome that stays so, fails as suppressed and keeps it', async () => {
    const { resumed, calls } = await resume(
      due('unknown'),
      settle(async () => undefined),
    );
    expect(resumed).toMatchObject({ ...ended, reason: 'suppressed', attempts: [{ outcome: 'unknown' }] });
    expect(calls).toEqual([]);
  });
});

describe('a resend of a suppressed phone', () => {
  test('is refused with 409, unless another phone is given', async () => {
    const { app, store, calls } = await build();
    await suppressPhone(store);
    const { payment_id } = paymentOf(await app.inject(post(body)));
    for (const payload of [{}, { phone }]) {
      const response = await app.inject(resend(payment_id, payload));
      expect([response.statusCode, response.json().type]).toEqual([409, '/problems/recipient-suppressed']);
    }
    expect(calls).toEqual([]);
    const sent = await app.inject(resend(payment_id, { phone: other }));
    expect(paymentOf(sent)).toMatchObject({ notification_status: 'sent' });
    expect(calls.map(({ request }) => request.phone)).toEqual([other]);
  });

  test('that is given a suppressed phone instead is refused', async () => {
    const { app, store } = await build();
    const failed = paymentNumber(1, { notification_status: 'failed', reason: 'expired', phone: other });
    await store.insert(failed);
    await suppressPhone(store);
    expect((await app.inject(resend(failed.payment_id, { phone }))).statusCode).toBe(409);
  });
});

describe('an opt-out that a provider reports', () => {
  test.each([
    ['Aldeamo', 'opted_out'],
    ['Aldeamo', 'blocked'],
    ['Twilio', 'twilio_21610'],
  ] as const)('by %s as %s is not evaded by the next payment', async (provider, reason) => {
    const { app, store, clients, calls } = await build();
    if (provider === 'Twilio') clients.Aldeamo.answer = async () => refused;
    clients[provider].answer = async () => ({ outcome: 'rejected', reason });
    const { payment_id } = paymentOf(await app.inject(post(body)));
    expect(await store.findSuppression({ phone })).toMatchObject({ provider, reason, payment_id });
    const before = calls.length;
    expect(paymentOf(await app.inject(post(body)))).toMatchObject({
      ...ended,
      notification: { reason: 'suppressed' },
    });
    expect(calls).toHaveLength(before);
  });

  test('of a wrong number is none', async () => {
    const { app, store, clients } = await build();
    clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason: 'phone_invalid' });
    await app.inject(post(body));
    expect(await store.findSuppression({ phone })).toBeUndefined();
  });

  test('of a payment without a phone is none, because nothing is known to suppress', async () => {
    const { app, store, clients } = await build();
    clients.Aldeamo.answer = async () => optedOut;
    await app.inject(post({ amount: 100, customer_id: '1' }));
    const page = await store.listSuppressions({ limit: 1, starting_after: undefined });
    expect(page?.suppressions).toEqual([]);
  });
});
