import { hash } from 'node:crypto';
import { pino } from 'pino';
import type { Outcome, Provider } from 'service-kit/contract/notification.ts';
import { type Credential, createCredential } from 'service-kit/http/credentials.ts';
import { problemContentType, problemSchema } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, test, vi } from 'vitest';
import { createPaymentCreation } from '../../src/delivery/create-payment.ts';
import type { Delivery } from '../../src/delivery/delivery.ts';
import { askedProvider, endAttempt, startAttempt } from '../../src/domain/attempts.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { paymentExample } from '../../src/domain/payment-example.ts';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import { postpone, type RetryPolicy } from '../../src/domain/retry-policy.ts';
import { CommitUnknown, LeaseLost, type Store, StoreUnavailable } from '../../src/store/store.ts';
import {
  begin,
  body,
  build,
  day,
  hold,
  keyed,
  partition,
  paymentOf,
  post,
  type Response,
  refused,
} from '../fixture.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { everything, paymentNumber, recordOf, running } from '../store/store-contract.ts';

describe('Idempotency-Key', () => {
  /** The parts of an answer that a client relies on. */
  const answerOf = ({ statusCode, headers, body }: Response) => ({
    status: statusCode,
    location: headers.location,
    type: headers['content-type'],
    applied: headers['preference-applied'],
    body,
  });
  const replayed = ({ headers }: Response) => headers['idempotent-replayed'];

  test.each<[what: string, answers: Partial<Record<Provider, Outcome>>, headers: Record<string, string>]>([
    ['sent', {}, {}],
    ['failed', { Aldeamo: { outcome: 'rejected', reason: 'opted_out' } }, {}],
    ['pending', { Aldeamo: refused, Twilio: refused }, {}],
    ['answered before it is sent', {}, { prefer: 'respond-async' }],
  ])('given a notification that is %s, replays the first answer byte for byte', async (_what, answers, headers) => {
    const { app, clients, calls, store } = await build();
    for (const provider of ['Aldeamo', 'Twilio'] as const) {
      const answer = answers[provider];
      if (answer) clients[provider].answer = async () => answer;
    }
    const first = await app.inject(keyed('key-1', body, headers));
    expect([first.statusCode, replayed(first)]).toEqual([headers.prefer ? 202 : 201, undefined]);
    const { payment_id } = paymentOf(first);
    // Changed after the first answer, so that a replay built from the payment would differ.
    await vi.waitFor(async () => expect((await store.find(payment_id))?.attempts[0]?.outcome).toBeTruthy());
    const payment = (await store.find(payment_id)) as Payment;
    await store.update({ ...payment, notification_status: 'delivered' });
    const sends = calls.length;
    for (const again of [keyed('key-1'), keyed('key-1', body, headers)]) {
      const response = await app.inject(again);
      expect(answerOf(response)).toEqual(answerOf(first));
      expect(replayed(response)).toBe('true');
    }
    expect(calls).toHaveLength(sends);
    expect((await store.list(everything))?.payments).toHaveLength(1);
  });

  test.each<[what: string, first: string, second: string]>([
    ['100 and 100.0', '{"amount":100,"customer_id":"1"}', '{"amount":100.0,"customer_id":"1"}'],
    ['100.5 and "100.50"', '{"amount":100.5,"customer_id":"1"}', '{"amount":"100.50","customer_id":"1"}'],
    ['fields in another order', '{"amount":1,"customer_id":"1"}', '{ "customer_id": "1", "amount": 1 }'],
    [
      'an omitted and a written default',
      '{"amount":1,"customer_id":"1"}',
      '{"amount":1,"customer_id":"1","currency":"COP"}',
    ],
    [
      'an escaped and a plain character',
      '{"amount":1,"customer_id":"\\u00f1"}',
      '{"amount":1,"customer_id":"ñ"}',
    ],
  ])('given %s, treats both bodies as one request', async (_what, first, second) => {
    const { app, calls } = await build();
    const answer = await app.inject(keyed('key-1', first));
    const again = await app.inject(keyed('key-1', second));
    expect([again.statusCode, replayed(again), again.body]).toEqual([201, 'true', answer.body]);
    expect(calls).toHaveLength(1);
  });

  describe('of a payment that was taken before this release', () => {
    const taken = { amount: 5, customer_id: '1', message: 'Hola', phone: '+573001234567' };
    const answer = { status: 201, body: JSON.stringify(paymentExample) };

    async function buildWith(
      currency: string,
      minor: number,
      { message = taken.message, key = 'key-1', access = { credentials: [] as Credential[] } } = {},
    ) {
      const built = await build({ rules: { maxSegments: 1 }, access });
      const fingerprint = hash('sha256', JSON.stringify([minor, currency, '1', message, taken.phone]));
      const payment = paymentNumber(1, { currency, amount_minor: minor });
      await built.store.insert(payment, recordOf(key, payment, { fingerprint, answer }));
      return { ...built, payment };
    }

    test.each([
      ['BGN', 500],
      ['ANG', 500],
      ['CUC', 500],
      ['XAU', 5],
      ['XXX', 5],
      ['CLF', 50_000],
      ['UYW', 50_000],
    ])('in %s, replays the first answer', async (currency, minor) => {
      const { app, calls, payment } = await buildWith(currency, minor);
      const response = await app.inject(keyed('key-1', { ...taken, currency }));
      expect([response.statusCode, response.body, replayed(response)]).toEqual([201, answer.body, 'true']);
      expect(response.headers.location).toBe(`/payments/${payment.payment_id}`);
      expect(calls).toEqual([]);
    });

    test('with more SMS than are allowed now, replays the first answer', async () => {
      const message = 'x'.repeat(161);
      const { app } = await buildWith('COP', 500, { message });
      const response = await app.inject(keyed('key-1', { ...taken, message }));
      expect([response.statusCode, response.body]).toEqual([201, answer.body]);
    });

    test.each<[string, object, Record<string, string>, number, string[]]>([
      ['with another payment', { ...taken, currency: 'BGN', amount: 6 }, {}, 422, []],
      ['with another key', { ...taken, currency: 'BGN' }, { 'idempotency-key': 'key-2' }, 400, ['currency']],
      [
        'with a wrong key',
        { ...taken, currency: 'BGN' },
        { 'idempotency-key': 'é' },
        400,
        ['currency', 'idempotency-key'],
      ],
      ['with a wrong phone', { ...taken, currency: 'BGN', phone: '1' }, {}, 400, ['currency', 'phone']],
      ['with a wrong amount', { ...taken, currency: 'BGN', amount: 0 }, {}, 400, ['amount', 'currency']],
      ['in no currency', { ...taken, currency: 'bgn' }, {}, 400, ['currency']],
    ])('%s, is refused', async (_what, request, headers, status, paths) => {
      const { app, store } = await buildWith('BGN', 500);
      const response = await app.inject(keyed('key-1', request, headers));
      const { errors = [] } = problemSchema.parse(response.json());
      expect([response.statusCode, errors.map(({ path }) => path).sort()]).toEqual([status, paths]);
      expect((await store.list(everything))?.payments).toHaveLength(1);
    });

    test('without its key, is refused with the store unasked', async () => {
      const { app, store } = await buildWith('BGN', 500);
      const asked = vi.spyOn(store, 'findKey');
      expect((await app.inject(post({ ...taken, currency: 'BGN' }))).statusCode).toBe(400);
      expect(asked).not.toHaveBeenCalled();
    });

    test('is replayed to its own client alone', async () => {
      const credentials = ['shop', 'portal'].map((name) =>
        createCredential(name, 'client', `key-of-the-${name}`),
      );
      const { app } = await buildWith('BGN', 500, { key: 'shop:key-1', access: { credentials } });
      const statusFor = async (client: string) => {
        const headers = { authorization: `Bearer key-of-the-${client}` };
        return (await app.inject(keyed('key-1', { ...taken, currency: 'BGN' }, headers))).statusCode;
      };
      expect([await statusFor('shop'), await statusFor('portal')]).toEqual([201, 400]);
    });
  });

  const whole = { amount: 100, customer_id: '1', currency: 'COP', message: 'Hola', phone: '+573001234567' };
  test.each([
    { amount: 100.01 },
    { currency: 'USD' },
    { customer_id: '2' },
    { message: 'Hola.' },
    { message: undefined },
    { phone: '+573001234568' },
    { phone: undefined },
  ])('given a body changed by %j, responds 422, and neither stores nor sends', async (change) => {
    const { app, calls, store } = await build();
    const first = await app.inject(keyed('key-1', whole));
    const other = await app.inject(keyed('key-1', { ...whole, ...change }));
    expect(other.statusCode).toBe(422);
    expect(other.headers['content-type']).toBe(problemContentType);
    expect(problemSchema.parse(other.json()).type).toBe('/problems/idempotency-key-reused');
    expect(replayed(other)).toBeUndefined();
    expect(calls).toHaveLength(1);
    expect((await store.list(everything))?.payments).toHaveLength(1);
    expect((await app.inject(keyed('key-1', whole))).body).toBe(first.body); // the first answer is unchanged
  });

  test('given a first request still running, responds 409 with Retry-After, and replays afterwards', async () => {
    const { app, clients, calls } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const first = begin(app, keyed('key-1'));
    await called;
    const meanwhile = await app.inject(keyed('key-1'));
    expect(meanwhile.statusCode).toBe(409);
    expect(meanwhile.headers['retry-after']).toBe('1');
    expect(problemSchema.parse(meanwhile.json()).type).toBe('/problems/idempotency-key-in-use');
    expect(replayed(meanwhile)).toBeUndefined();
    // Another body is a 422 even while the first request runs.
    expect((await app.inject(keyed('key-1', { ...body, amount: 1 }))).statusCode).toBe(422);
    letGo();
    const after = await app.inject(keyed('key-1'));
    expect([after.statusCode, replayed(after), after.body]).toEqual([201, 'true', (await first).body]);
    expect(calls).toHaveLength(1);
  });

  test('given 50 concurrent requests, creates one payment and sends once', async () => {
    const { app, clients, calls, store } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const responses = Promise.all(Array.from({ length: 50 }, () => begin(app, keyed('key-1'))));
    await called;
    letGo();
    const [firsts, others] = partition(
      await responses,
      (response) => response.statusCode === 201 && replayed(response) === undefined,
    );
    expect(firsts).toHaveLength(1);
    for (const response of others) {
      if (response.statusCode === 409) expect(response.headers['retry-after']).toBe('1');
      else expect(answerOf(response)).toEqual(answerOf(firsts[0] as Response));
    }
    expect(calls).toHaveLength(1);
    expect((await store.list(everything))?.payments).toHaveLength(1);
  });

  test('given a quoted and a bare key, treats both as the same', async () => {
    const { app, calls } = await build();
    const first = await app.inject(keyed('"key-1"'));
    const second = await app.inject(keyed('key-1'));
    expect([second.body, replayed(second)]).toEqual([first.body, 'true']);
    expect(calls).toHaveLength(1);
  });

  test('given keys of 255 characters, compares them up to the last', async () => {
    const { app, calls } = await build();
    for (const last of ['a', 'b', 'a']) await app.inject(keyed('k'.repeat(254) + last));
    expect(calls).toHaveLength(2);
  });

  test.each([
    [''],
    ['""'],
    ['x'.repeat(256)],
    ['clave-ñ'],
    ['a\tb'],
    ['a, b'],
    ['"a";b=1'],
    ['a;b=1'],
    ['"a'],
  ])('given the invalid key %j, responds 400', async (key) => {
    const { app, calls, store } = await build();
    const response = await app.inject(keyed(key));
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json()).errors).toMatchObject([{ path: 'idempotency-key' }]);
    expect(await store.list(everything)).toEqual({ payments: [], has_more: false });
    expect(calls).toEqual([]);
  });

  test('given an invalid request, leaves the key unused', async () => {
    const { app } = await build();
    expect((await app.inject(keyed('key-1', { ...body, amount: -1 }))).statusCode).toBe(400);
    const first = await app.inject(keyed('key-1'));
    expect([first.statusCode, replayed(first)]).toEqual([201, undefined]);
  });

  test('given a payment that could not be stored, leaves the key unused', async () => {
    const { app, store, calls } = await build();
    store.locked = true;
    expect((await app.inject(keyed('key-1'))).statusCode).toBe(503);
    store.locked = false;
    const first = await app.inject(keyed('key-1'));
    expect([first.statusCode, replayed(first)]).toEqual([201, undefined]);
    expect(calls).toHaveLength(1);
  });

  describe('given an outcome that could not be recorded', () => {
    /** The first request with `key-1`, whose store fails `update` after the call. */
    async function unrecorded(fail: (update: Store['update']) => Store['update']) {
      const fixture = await build();
      const { app, store } = fixture;
      const update = store.update.bind(store);
      vi.spyOn(store, 'update').mockImplementationOnce(fail(update));
      const first = await app.inject(keyed('key-1'));
      const [payment] = (await store.list(everything))?.payments ?? [];
      return { ...fixture, first, payment: payment as Payment };
    }
    const isUnrecorded = ({ statusCode, headers, json }: Response) => {
      expect([statusCode, headers['retry-after'], json().type]).toEqual([
        503,
        '1',
        '/problems/outcome-not-recorded',
      ]);
    };

    test('responds 503, then 409 while the attempt is leased, and then with the record alone', async () => {
      const { app, store, first, payment, calls } = await unrecorded(() => async () => {
        throw new StoreUnavailable('disk full');
      });
      isUnrecorded(first);
      expect((await app.inject(keyed('key-1'))).statusCode).toBe(409);
      await store.update(endAttempt(payment, { outcome: 'unknown', reason: 'interrupted' }, 0));
      const replay = await app.inject(keyed('key-1'));
      expect([replay.statusCode, replayed(replay)]).toEqual([201, 'true']);
      expect(paymentOf(replay)).toEqual(paymentOf(await app.inject(`/payments/${payment.payment_id}`)));
      await store.update({ ...payment, notification_status: 'delivered' });
      expect(answerOf(await app.inject(keyed('key-1')))).toEqual(answerOf(replay));
      expect(calls).toHaveLength(1);
    });

    test('but was committed, responds 503, and then with what was committed', async () => {
      const { app, first, calls } = await unrecorded((update) => async (...args) => {
        await update(...args);
        throw new CommitUnknown('the connection was lost');
      });
      isUnrecorded(first);
      const replay = await app.inject(keyed('key-1'));
      expect([replay.statusCode, paymentOf(replay).notification_status]).toEqual([201, 'sent']);
      expect(calls).toHaveLength(1);
    });

    test('because another worker has taken the lease, responds 503', async () => {
      const { first } = await unrecorded(() => async ({ payment_id }) => {
        throw new LeaseLost(payment_id);
      });
      isUnrecorded(first);
    });
  });

  test('given two keys, creates two payments', async () => {
    const { app, calls } = await build();
    const first = paymentOf(await app.inject(keyed('key-1')));
    const second = paymentOf(await app.inject(keyed('key-2')));
    expect(first.payment_id).not.toBe(second.payment_id);
    expect(calls).toHaveLength(2);
  });

  test.each(['POST', 'GET'] as const)('given a %s that creates no payment, is ignored', async (method) => {
    const { app } = await build();
    const url = method === 'GET' ? '/payments' : '/force-recovery';
    const response = await app.inject({ method, url, headers: { 'idempotency-key': 'key-1' } });
    expect(response.statusCode).toBe(200);
    expect(response.headers['idempotent-replayed']).toBeUndefined();
  });

  describe('given a crash before the answer', () => {
    /** The same request under another key, as a crash leaves it: stored with its payment, without an answer. */
    async function crashed(store: Store, app: Server, fields: Partial<Payment>) {
      const first = paymentOf(await app.inject(keyed('key-0')));
      const { known } = await store.insert(paymentNumber(9), recordOf('key-0', paymentNumber(9)));
      const payment: Payment = {
        ...((await store.find(first.payment_id)) as Payment),
        ...fields,
        payment_id: 'pmt_crashed',
      };
      await store.insert(payment, recordOf('key-1', payment, { fingerprint: known?.fingerprint ?? '' }));
      return payment;
    }

    test.each<[what: string, fields: Partial<Payment>]>([
      ['sent', {}],
      ['failed', { notification_status: 'failed', notification_service: null }],
      [
        'pending',
        {
          notification_status: 'pending',
          notification_service: null,
          next_attempt_at: '2998-01-01T00:00:00.000Z',
        },
      ],
    ])('and a notification that is %s, answers from the payment, and replays that answer', async (_what, fields) => {
      const { app, store, calls } = await build();
      const payment = await crashed(store, app, fields);
      calls.length = 0;
      const late = await app.inject(keyed('key-1'));
      expect([late.statusCode, replayed(late), late.headers.location]).toEqual([
        201,
        'true',
        '/payments/pmt_crashed',
      ]);
      expect(paymentOf(late)).toEqual(paymentOf(await app.inject('/payments/pmt_crashed')));
      await store.update({ ...payment, notification_status: 'delivered' });
      expect(answerOf(await app.inject(keyed('key-1')))).toEqual(answerOf(late));
      expect(calls).toEqual([]);
    });

    test('and an attempt without an outcome, responds 409', async () => {
      const { app, store } = await build();
      await crashed(store, app, { notification_status: 'pending', attempts: running() });
      const response = await app.inject(keyed('key-1'));
      expect([response.statusCode, response.headers['retry-after']]).toEqual([409, '1']);
    });
  });

  // A worker has claimed the notification, and starts its attempt between the read and the write of the late answer. If the
  // write used the worker's fencing token, it would overwrite the lease: the next worker would take the running attempt for
  // an interrupted one, and send a second SMS.
  test('given a late answer, preserves the lease of the worker that has claimed the notification', async () => {
    const store = createMemoryStore({ leaseMs: 15_000 });
    const policy: RetryPolicy = {
      baseMs: 1,
      maxMs: 1,
      ttlMs: day,
      unknownOutcome: 'resend',
      patienceMs: 1,
      undelivered: 'resend',
      receiptTimeoutMs: 600_000,
    };
    const delivery = { begin: (payment: Payment) => postpone(payment, policy, -1) } as Delivery;
    const { createNotified } = createPaymentCreation({ store, delivery, policy });
    const request = { amount_minor: 1, currency: 'COP', customer_id: '1', phone: null, message: null };
    const log = pino({ level: 'silent' });
    // Stored without the answer, as a crash leaves it.
    const insert = store.insert.bind(store);
    vi.spyOn(store, 'insert').mockImplementationOnce((payment, record) =>
      insert(payment, record && { ...record, answer: null }),
    );
    const { payment_id } = await createNotified(request, 'key-1', log);

    const find = store.find.bind(store);
    vi.spyOn(store, 'find').mockImplementationOnce(async (id) => {
      const [claimed] = await store.claimDue(1);
      const read = await find(id);
      await store.update(startAttempt(claimed as Payment, 'Aldeamo'));
      return read;
    });
    await createNotified(request, 'key-1', log).catch(() => {}); // both a 409 and a replay are correct
    expect(askedProvider((await find(payment_id)) as Payment)).toBe('Aldeamo');
    expect(await store.claimDue(10)).toEqual([]);
  });
});

describe('Prefer: respond-async', () => {
  const preferring = (prefer: string) => ({ ...post(body), headers: { ...post(body).headers, prefer } });

  test('responds 202 once the payment is durable, and notifies afterwards', async () => {
    const { app, store, clients, calls } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const response = await app.inject(preferring('respond-async'));
    expect(response.statusCode).toBe(202);
    expect(response.headers['preference-applied']).toBe('respond-async');
    const payment = paymentOf(response);
    expect(response.headers.location).toBe(`/payments/${payment.payment_id}`);
    expect(payment).toMatchObject({
      status: 'completed',
      notification_status: 'pending',
      notification_service: null,
      notification: {
        attempts: [{ provider: 'Aldeamo', outcome: null, duration_ms: null }],
        next_attempt_at: null,
      },
    });
    const { payment_id } = payment;
    expect(store.recorded()).toMatchObject([
      { payment_id, attempts: [{ provider: 'Aldeamo', outcome: null }] },
    ]);
    await called;
    letGo();
    await app.close();
    expect(store.recorded()).toMatchObject([
      { payment_id, attempts: [{ provider: 'Aldeamo', outcome: 'accepted' }] },
    ]);
    expect(calls).toHaveLength(1);
  });

  test('given a notification under way, delays the close of the app until it has ended', async () => {
    const { app, store, clients } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    clients.Twilio.answer = async () => {
      expect(clients.Twilio.closed).toBe(false);
      return { outcome: 'accepted', message_id: 'SM1' };
    };
    await app.inject(preferring('respond-async'));
    await called;
    const closed = vi.fn();
    const closing = app.close().then(closed);
    // Far more turns than a close needs that does not wait.
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect([closed.mock.calls.length, clients.Aldeamo.closed]).toEqual([0, false]);
    letGo(refused);
    await closing;
    expect([clients.Aldeamo.closed, clients.Twilio.closed]).toEqual([true, true]);
    expect(store.recorded()).toMatchObject([{ notification_service: 'Twilio', notification_status: 'sent' }]);
  });

  test('given an unavailable store, responds 503', async () => {
    const { app, store, calls } = await build();
    store.locked = true;
    expect((await app.inject(preferring('respond-async'))).statusCode).toBe(503);
    expect(calls).toEqual([]);
  });

  test.each([
    'respond-async',
    'Respond-Async',
    'respond-async;foo=bar, wait=x',
    'respond-async=""',
  ])('given %s, is applied', async (prefer) => {
    const { app } = await build();
    const response = await app.inject(preferring(prefer));
    expect([response.statusCode, response.headers['preference-applied']]).toEqual([202, 'respond-async']);
  });

  test.each([
    '',
    'return=minimal',
    'wait=10',
    'wait=10, respond-async',
    'respond-asynchronously',
    'x-respond-async',
    'wait=respond-async',
    'wait="1, respond-async"',
  ])('given %j, is not applied', async (prefer) => {
    const { app } = await build();
    const response = await app.inject(preferring(prefer));
    expect(response.statusCode).toBe(201);
    expect(response.headers).not.toHaveProperty('preference-applied');
    expect(paymentOf(response).notification_status).toBe('sent');
  });

  test('given more than 64 under way, leaves the others to the outbox, and each is sent once', async () => {
    const { app, clients, calls, store } = await build();
    const { letGo } = hold(clients.Aldeamo);
    const answered: PaymentView[] = [];
    for (let number = 0; number < 70; number += 1)
      answered.push(paymentOf(await app.inject(preferring('respond-async'))));
    const waiting = answered.filter(({ notification }) => notification.attempts.length === 0);
    expect(waiting).toEqual(answered.slice(64));
    for (const { notification } of waiting) expect(notification.next_attempt_at).not.toBeNull();
    letGo();
    await vi.waitFor(
      async () => {
        const sent = await store.list({ ...everything, notification_status: ['sent'] });
        expect(sent?.payments).toHaveLength(70);
      },
      { timeout: 5000 },
    );
    expect(calls).toHaveLength(70);
  });

  // If the limit were checked before the payment is stored, and the count raised afterwards, all requests that arrive within
  // one commit would pass.
  test('given 200 concurrent requests, has no more than 64 under way', async () => {
    const { app, clients, calls } = await build();
    hold(clients.Aldeamo);
    await Promise.all(Array.from({ length: 200 }, () => begin(app, preferring('respond-async'))));
    expect(calls.length).toBeLessThanOrEqual(64 + 16); // the outbox adds up to 16 of its own
  });
});

describe('Prefer: wait', () => {
  const waiting = (prefer: string, key?: string) => ({
    ...post(body),
    headers: { ...post(body).headers, prefer, ...(key && { 'idempotency-key': key }) },
  });

  test.each([
    'wait=1',
    'wait=1, respond-async',
  ])('given %s and no outcome in time, responds 202 after it, and notifies afterwards', async (prefer) => {
    const { app, store, clients } = await build();
    const { letGo } = hold(clients.Aldeamo);
    const began = performance.now();
    const response = await app.inject(waiting(prefer));
    expect(performance.now() - began).toBeGreaterThan(990);
    expect([response.statusCode, response.headers['preference-applied']]).toEqual([202, 'wait=1']);
    expect(paymentOf(response)).toMatchObject({ notification_status: 'pending' });
    letGo();
    await expect.poll(() => store.recorded()).toMatchObject([{ notification_status: 'sent' }]);
  });

  test('given a key, keeps the 202 as its answer, whatever the outcome is later', async () => {
    const { app, store, clients, calls } = await build();
    const { letGo } = hold(clients.Aldeamo);
    const first = await app.inject(waiting('wait=0', 'one'));
    expect(first.statusCode).toBe(202);
    const during = await app.inject(waiting('wait=0', 'one'));
    letGo();
    await expect.poll(() => store.recorded()).toMatchObject([{ notification_status: 'sent' }]);
    const after = await app.inject(waiting('', 'one'));
    for (const { statusCode, body, headers } of [during, after])
      expect([statusCode, body, headers['idempotent-replayed']]).toEqual([202, first.body, 'true']);
    expect(calls).toHaveLength(1);
  });

  test('given a store that fails meanwhile, responds 503 with a key, and 202 without one', async () => {
    const { app, store, clients } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const keyed = begin(app, waiting('wait=1', 'one'));
    const unkeyed = begin(app, waiting('wait=1'));
    await called;
    await expect.poll(() => store.recorded()).toHaveLength(2);
    store.locked = true;
    expect((await keyed).json().type).toBe('/problems/outcome-not-recorded');
    expect((await unkeyed).statusCode).toBe(202);
    store.locked = false;
    letGo();
  });

  test('given 200 requests that cannot wait, has no more than 64 under way', async () => {
    const { app, clients, calls } = await build();
    hold(clients.Aldeamo);
    const answers = [];
    for (let number = 0; number < 200; number += 1) answers.push(await app.inject(waiting('wait=0')));
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([202]));
    expect(calls.length).toBeLessThanOrEqual(64 + 16); // the outbox adds up to 16 of its own
  });
});
