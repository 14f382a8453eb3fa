import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/notification.ts';
import { problemContentType, problemSchema } from 'service-kit/server/problem.ts';
import type { Server } from 'service-kit/server/server.ts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { buildApp } from '../src/app.ts';
import { circuitBreakerDefaults } from '../src/circuit-breaker.ts';
import type { Delivery } from '../src/delivery.ts';
import { createNotifier } from '../src/notifier.ts';
import type { UnknownOutcomePolicy } from '../src/outcome.ts';
import {
  type Attempt,
  askedProvider,
  type Payment,
  type PaymentView,
  paymentSchema,
  startAttempt,
} from '../src/payment.ts';
import { createPayments } from '../src/payments.ts';
import { postpone, type RetryPolicy } from '../src/retry-policy.ts';
import { circuitReportSchema } from '../src/routes/circuit.ts';
import { openSqliteStore } from '../src/store/sqlite-store.ts';
import { type Store, StoreUnavailable } from '../src/store/store.ts';
import { everything, notificationWith, paymentNumber, recordOf, running } from './store-contract.ts';

const body = { amount: 100, customer_id: '123' };
const refused: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };

describe('POST /payments', () => {
  test('answers 201 with where the payment is and everything about it', async () => {
    const { app } = await build();
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    const payment = paymentOf(response);
    expect(payment).toEqual({
      payment_id: expect.stringMatching(/^pmt_[0-9a-f]{32}$/),
      status: 'completed',
      amount: 100,
      currency: 'COP',
      customer_id: '123',
      notification_service: 'Aldeamo',
      notification_status: 'sent',
      possible_duplicate: false,
      created_at: expect.any(String),
      notification: {
        message: 'Se ha procesado un pago de $100 con éxito.',
        reason: null,
        attempts: [
          {
            provider: 'Aldeamo',
            outcome: 'accepted',
            reason: null,
            message_id: 'Aldeamo-1',
            started_at: expect.any(String),
            duration_ms: expect.any(Number),
          },
        ],
        next_attempt_at: null,
      },
    });
    expect(response.headers.location).toBe(`/payments/${payment.payment_id}`);
    const found = await app.inject(response.headers.location as string);
    expect(found.statusCode).toBe(200);
    expect(found.body).toBe(response.body);
  });

  test('keeps and sends what it was given', async () => {
    const { app, calls } = await build();
    const message = 'Gracias por tu pago 😀\nHasta pronto';
    const response = await app.inject(
      post({ amount: 19.99, customer_id: '1', currency: 'USD', phone: '+573001234567', message }),
    );
    expect(paymentOf(response)).toMatchObject({ amount: 19.99, currency: 'USD', notification: { message } });
    expect(calls).toMatchObject([{ request: { message, customer_id: '1', phone: '+573001234567' } }]);
    expect(response.body).not.toContain('573001234567'); // nobody is shown the phone
  });

  test('takes the same payment twice for two payments', async () => {
    const { app, calls } = await build();
    const payments = [paymentOf(await app.inject(post(body))), paymentOf(await app.inject(post(body)))];
    expect(new Set(payments.map(({ payment_id }) => payment_id)).size).toBe(2);
    expect(new Set(calls.map(({ key }) => key)).size).toBe(2);
  });

  describe('money is exact', () => {
    test.each([
      ['100', '100', '100'],
      ['100.0', '100', '100'],
      ['100.50', '100.5', '100.5'],
      ['0.01', '0.01', '0.01'],
      ['"19.99"', '19.99', '19.99'],
      ['19.99', '19.99', '19.99'],
      // As a double it would be 90071992547409.9.
      ['90071992547409.91', '90071992547409.91', '90071992547409.91'],
      ['"90071992547409.91"', '90071992547409.91', '90071992547409.91'],
    ])('%s comes back as %s', async (sent, told, read) => {
      const { app, calls } = await build();
      const response = await app.inject(post(`{"amount":${sent},"customer_id":"1"}`));
      expect(response.statusCode).toBe(201);
      expect(response.body).toContain(`"amount":${told},`);
      expect(calls[0]?.request.message).toBe(`Se ha procesado un pago de $${read} con éxito.`);
      const list = await app.inject('/payments');
      expect(list.body).toContain(`"amount":${told},`);
    });

    test('a currency without decimals', async () => {
      const { app } = await build();
      const response = await app.inject(post({ amount: 100, customer_id: '1', currency: 'JPY' }));
      expect(paymentOf(response)).toMatchObject({ amount: 100, currency: 'JPY' });
    });
  });
});

describe('bad input is a problem that names the field; nothing is kept, nothing is sent', () => {
  const amount = (text: string, rest = '"customer_id":"1"') => `{"amount":${text},${rest}}`;
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

  test.each<[name: string, request: InjectOptions, status: number, paths?: string[]]>([
    ['no body', { method: 'POST', url: '/payments' }, 400, ['body']],
    ['an empty body', post(''), 400],
    ['no JSON', post('amount=100'), 400],
    ['half a JSON', post('{"amount":100,"customer_id":"1"'), 400],
    ['an array', post('[]'), 400, ['body']],
    ['null', post('null'), 400, ['body']],
    ['a string', post('"100"'), 400, ['body']],
    ['a number', post('100'), 400, ['body']],
    ['an empty object', post('{}'), 400, ['amount', 'customer_id']],
    ['60 KB of [', post('['.repeat(60_000)), 400],
    ['arrays 30 000 deep', post(deep(30_000)), 400],
    ['an amount 30 000 deep', post(amount(deep(30_000))), 400],
    ['a body of 2 MB', post({ ...body, message: 'x'.repeat(2 * 1024 * 1024) }), 413],
    ['XML', post('<amount>100</amount>', 'application/xml'), 415],

    ['no amount', post('{"customer_id":"1"}'), 400, ['amount']],
    ...['0', '-1', '-0', '0.00', '1e2', '1E2', '1e-2', '1e400', '100.001', '1000000000000000000']
      .concat(['"abc"', '"NaN"', '""', '"-1"', '"1e2"', '" 1"', '"1,5"', '"0x10"', '"Infinity"'])
      .concat(['null', 'true', '[1]', '{}', '{"amount":1}', '90071992547409.92', '9'.repeat(50_000)])
      .map((text): [string, InjectOptions, number, string[]] => [
        `an amount of ${text.slice(0, 30)}`,
        post(amount(text)),
        400,
        ['amount'],
      ]),
    ['decimals that the currency lacks', post({ ...body, amount: 0.5, currency: 'JPY' }), 400, ['amount']],

    ['no customer', post('{"amount":1}'), 400, ['customer_id']],
    ['an empty customer', post({ ...body, customer_id: '' }), 400, ['customer_id']],
    ['a blank customer', post({ ...body, customer_id: ' \u00a0 ' }), 400, ['customer_id']],
    ['a customer of 300 characters', post({ ...body, customer_id: 'x'.repeat(300) }), 400, ['customer_id']],
    ['a control character', post({ ...body, customer_id: 'a\u0000b' }), 400, ['customer_id']],
    ['an invisible character', post({ ...body, customer_id: 'a\u202eb' }), 400, ['customer_id']],
    ['half a surrogate pair', post(amount('1', '"customer_id":"\\ud800"')), 400, ['customer_id']],
    ['a customer who is a number', post({ ...body, customer_id: 123 }), 400, ['customer_id']],

    ['an empty message', post({ ...body, message: '' }), 400, ['message']],
    ['a message of 10 KB', post({ ...body, message: 'x'.repeat(10 * 1024) }), 400, ['message']],
    ['a message that is null', post({ ...body, message: null }), 400, ['message']],
    ['a message with an escape', post({ ...body, message: 'a\u001b[2J' }), 400, ['message']],
    ['a currency that is none', post({ ...body, currency: 'PESOS' }), 400, ['currency']],
    ['a currency in lower case', post({ ...body, currency: 'cop' }), 400, ['currency']],
    ...['3001234567', '+0123456789', '+57 300 123 4567', '+1234567890123456', '', 573001234567].map(
      (phone): [string, InjectOptions, number, string[]] => [
        `the phone ${JSON.stringify(phone)}`,
        post({ ...body, phone }),
        400,
        ['phone'],
      ],
    ),

    ['an unknown field', post({ ...body, color: 'red' }), 400, ['color']],
    ['our own field', post({ ...body, amount_minor: 1 }), 400, ['amount_minor']],
    ['__proto__', post(amount('1', '"customer_id":"1","__proto__":{"phone":"x"}')), 400, ['__proto__']],
    ['constructor', post(amount('1', '"customer_id":"1","constructor":{}')), 400, ['constructor']],
    ['all at once', post({ amount: 0, customer_id: '', phone: '1', message: '', currency: 'x', y: 1 }), 400],

    ['GET of another path', { url: '/payments/a/nope' }, 404],
    ['DELETE of another path', { method: 'DELETE', url: '/payments/a/nope' }, 404],
    ['DELETE of a payment', { method: 'DELETE', url: '/payments/x' }, 404],
    ['PUT of a payment', { method: 'PUT', url: '/payments/x' }, 404],
    ['a payment that does not exist', { url: '/payments/pmt_x' }, 404],
    ['a payment that looks like SQL', { url: `/payments/${encodeURIComponent("' OR 1=1 --")}` }, 404],
    ['a path that is no URL', { url: '/payments/%zz' }, 400],
    ...['0', '101', '1000', '-1', 'abc', '1e1', '1.5', '010', '', ' 5'].map(
      (limit): [string, InjectOptions, number, string[]] => [
        `a limit of ${JSON.stringify(limit)}`,
        { url: `/payments?limit=${encodeURIComponent(limit)}` },
        400,
        ['limit'],
      ],
    ),
    [
      'a page after a payment that does not exist',
      { url: '/payments?starting_after=x' },
      400,
      ['starting_after'],
    ],
    ['an empty cursor', { url: '/payments?starting_after=' }, 400, ['starting_after']],
    ['a status that is none', { url: '/payments?notification_status=x' }, 400, ['notification_status']],
    ['an empty customer in the query', { url: '/payments?customer_id=' }, 400, ['customer_id']],
    ['an unknown parameter', { url: '/payments?offset=1' }, 400, ['offset']],
    ['__proto__ as a parameter', { url: '/payments?__proto__=1' }, 400, ['__proto__']],
    ['a parameter twice', { url: '/payments?limit=1&limit=2' }, 400, ['limit']],
  ])('%s', async (_name, request, status, paths) => {
    const { app, store, calls } = await build();
    const response = await app.inject(request);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe(problemContentType);
    const problem = problemSchema.parse(response.json());
    expect(problem.status).toBe(status);
    if (paths) expect([...new Set(problem.errors?.map(({ path }) => path))]).toEqual(paths);
    expect(response.body).not.toMatch(/node_modules|SyntaxError|RangeError|SQLITE|\bat .*\.ts/);
    expect(await store.list(everything)).toEqual({ payments: [], has_more: false });
    expect(calls).toEqual([]);
  });

  test('Content-Type: text/plain', async () => {
    const { app } = await build();
    expect((await app.inject(post(JSON.stringify(body), 'text/plain'))).statusCode).toBe(415);
  });

  test('the id of a payment that is longer than any', async () => {
    const { app } = await build();
    expect((await app.inject(`/payments/${'x'.repeat(101)}`)).statusCode).toBeLessThan(500);
  });
});

describe('a payment does not fail because a provider does', () => {
  test.each<[string, { Aldeamo: Outcome; Twilio?: Outcome }, Partial<PaymentView>, (string | null)[]]>([
    [
      'Aldeamo is down: Twilio sends',
      { Aldeamo: refused },
      { notification_status: 'sent', notification_service: 'Twilio', possible_duplicate: false },
      ['Aldeamo not_sent connection_refused', 'Twilio accepted null'],
    ],
    [
      'nobody knows whether Aldeamo has sent it: Twilio does, and it may come twice',
      { Aldeamo: { outcome: 'unknown', reason: 'deadline_passed' } },
      { notification_status: 'sent', notification_service: 'Twilio', possible_duplicate: true },
      ['Aldeamo unknown deadline_passed', 'Twilio accepted null'],
    ],
    [
      'both are down',
      { Aldeamo: refused, Twilio: { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 1000 } },
      { notification_status: 'pending', notification_service: null, possible_duplicate: false },
      ['Aldeamo not_sent connection_refused', 'Twilio not_sent throttled'],
    ],
    [
      'Aldeamo refuses the recipient: Twilio is not used to get round it',
      { Aldeamo: { outcome: 'rejected', reason: 'opted_out' } },
      { notification_status: 'failed', notification_service: null, possible_duplicate: false },
      ['Aldeamo rejected opted_out'],
    ],
  ])('%s', async (_name, outcomes, notification, attempts) => {
    const { app, clients } = await build();
    clients.Aldeamo.answer = async () => outcomes.Aldeamo;
    if (outcomes.Twilio) clients.Twilio.answer = async () => outcomes.Twilio as Outcome;
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    const payment = paymentOf(response);
    expect(payment).toMatchObject({ status: 'completed', ...notification });
    const told = payment.notification.attempts;
    expect(told.map(({ provider, outcome, reason }) => `${provider} ${outcome} ${reason}`)).toEqual(attempts);
    expect((await app.inject(`/payments/${payment.payment_id}`)).body).toBe(response.body);
  });
});

describe('a payment is on disk before anything is sent', () => {
  test('with the attempt, which has no outcome yet, at the moment of each call', async () => {
    const { app, clients, path } = await build();
    const reader = connectTo(path);
    const attempts = reader.prepare('SELECT provider, outcome FROM attempts ORDER BY number');
    const seen: unknown[] = [];
    clients.Aldeamo.answer = async () => {
      seen.push(attempts.all());
      return refused;
    };
    clients.Twilio.answer = async () => {
      seen.push(attempts.all());
      return { outcome: 'accepted', message_id: 'sms-1' };
    };
    await app.inject(post(body));
    expect(seen).toEqual([
      [{ provider: 'Aldeamo', outcome: null }],
      [
        { provider: 'Aldeamo', outcome: 'not_sent' },
        { provider: 'Twilio', outcome: null },
      ],
    ]);
    expect(attempts.all().at(-1)).toEqual({ provider: 'Twilio', outcome: 'accepted' });
  });

  test('if it can not be, the answer is 503 and nothing is sent', async () => {
    const { app, store, calls, path } = await build();
    const other = connectTo(path);
    other.exec('BEGIN EXCLUSIVE');
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.headers['retry-after']).toBe('1');
    expect(response.json().type).toBe('urn:problem:store-unavailable');
    expect(response.body).not.toMatch(/locked|sqlite/i);
    expect((await app.inject('/health/ready')).statusCode).toBe(503);
    expect((await app.inject('/health/live')).statusCode).toBe(200);
    other.exec('ROLLBACK');
    expect(await store.list(everything)).toEqual({ payments: [], has_more: false });
    expect(calls).toEqual([]);
    expect((await app.inject('/health/ready')).statusCode).toBe(200);
    expect((await app.inject(post(body))).statusCode).toBe(201);
  });

  test('if it can not be read, the answer is 503', async () => {
    const { app, store } = await build();
    const down = () => Promise.reject(new StoreUnavailable('the store does not answer'));
    Object.assign(store, { find: down, list: down });
    for (const url of ['/payments', '/payments/pmt_x']) {
      const response = await app.inject(url);
      expect([response.statusCode, response.json().type]).toEqual([503, 'urn:problem:store-unavailable']);
    }
  });

  test('if it fails after a provider has accepted, the client is told that it was sent', async () => {
    const { app, clients, path, lines } = await build();
    const other = connectTo(path);
    clients.Aldeamo.answer = async () => {
      other.exec('BEGIN EXCLUSIVE');
      return { outcome: 'accepted', message_id: 'sms-1' };
    };
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    const payment = paymentOf(response);
    expect(payment).toMatchObject({ notification_status: 'sent', notification_service: 'Aldeamo' });
    expect(lines.map(({ msg }) => msg)).toContain('an outcome could not be recorded');
    other.exec('ROLLBACK');
    // What is on record is an attempt that may have happened.
    const found = paymentOf(await app.inject(`/payments/${payment.payment_id}`));
    expect(found.notification_status).toBe('pending');
    expect(found.notification.attempts).toMatchObject([{ provider: 'Aldeamo', outcome: null }]);
  });

  test('if it fails between the two providers, the second one is not asked', async () => {
    const { app, clients, calls, path } = await build();
    const other = connectTo(path);
    clients.Aldeamo.answer = async () => {
      other.exec('BEGIN EXCLUSIVE');
      return refused;
    };
    const response = await app.inject(post(body));
    other.exec('ROLLBACK');
    expect(response.statusCode).toBe(201);
    expect(paymentOf(response)).toMatchObject({ notification_status: 'pending', notification_service: null });
    expect(calls.map(({ provider }) => provider)).toEqual(['Aldeamo']);
  });
});

describe('Idempotency-Key', () => {
  /** The heads that a client goes by. */
  const told = ({ statusCode, headers, body }: Response) => ({
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
    ['answered before it was sent', {}, { prefer: 'respond-async' }],
  ])('a replay is the first answer to the byte: %s', async (_what, answers, headers) => {
    const { app, clients, calls, store } = await build();
    for (const provider of ['Aldeamo', 'Twilio'] as const) {
      const answer = answers[provider];
      if (answer) clients[provider].answer = async () => answer;
    }
    const first = await app.inject(keyed('key-1', body, headers));
    expect([first.statusCode, replayed(first)]).toEqual([headers.prefer ? 202 : 201, undefined]);
    const { payment_id } = paymentOf(first);
    // What becomes of it afterwards is not what the first answer was.
    await vi.waitFor(async () =>
      expect((await store.find(payment_id))?.notification.attempts[0]?.outcome).toBeTruthy(),
    );
    const payment = (await store.find(payment_id)) as Payment;
    await store.update({ ...payment, notification_status: 'delivered' });
    const sends = calls.length;
    for (const again of [keyed('key-1'), keyed('key-1', body, headers)]) {
      const response = await app.inject(again);
      expect(told(response)).toEqual(told(first));
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
      'a default that is written out',
      '{"amount":1,"customer_id":"1"}',
      '{"amount":1,"customer_id":"1","currency":"COP"}',
    ],
    ['an escape', '{"amount":1,"customer_id":"\\u00f1"}', '{"amount":1,"customer_id":"ñ"}'],
  ])('%s are one request', async (_what, first, second) => {
    const { app, calls } = await build();
    const answer = await app.inject(keyed('key-1', first));
    const again = await app.inject(keyed('key-1', second));
    expect([again.statusCode, replayed(again), again.body]).toEqual([201, 'true', answer.body]);
    expect(calls).toHaveLength(1);
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
  ])('with another body is a 422, and is neither kept nor sent: %j', async (change) => {
    const { app, calls, store } = await build();
    const first = await app.inject(keyed('key-1', whole));
    const other = await app.inject(keyed('key-1', { ...whole, ...change }));
    expect(other.statusCode).toBe(422);
    expect(other.headers['content-type']).toBe(problemContentType);
    expect(problemSchema.parse(other.json()).type).toBe('urn:problem:idempotency-key-reused');
    expect(replayed(other)).toBeUndefined();
    expect(calls).toHaveLength(1);
    expect((await store.list(everything))?.payments).toHaveLength(1);
    expect((await app.inject(keyed('key-1', whole))).body).toBe(first.body); // and the first is as it was
  });

  test('while the first runs is a 409 with Retry-After; afterwards it is a replay', async () => {
    const { app, clients, calls } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const first = begin(app, keyed('key-1'));
    await called;
    const meanwhile = await app.inject(keyed('key-1'));
    expect(meanwhile.statusCode).toBe(409);
    expect(meanwhile.headers['retry-after']).toBe('1');
    expect(problemSchema.parse(meanwhile.json()).type).toBe('urn:problem:idempotency-key-in-use');
    expect(replayed(meanwhile)).toBeUndefined();
    // Another body is wrong whether the first one runs or not.
    expect((await app.inject(keyed('key-1', { ...body, amount: 1 }))).statusCode).toBe(422);
    letGo();
    const after = await app.inject(keyed('key-1'));
    expect([after.statusCode, replayed(after), after.body]).toEqual([201, 'true', (await first).body]);
    expect(calls).toHaveLength(1);
  });

  test('50 at the same time are one payment and one send', async () => {
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
      else expect(told(response)).toEqual(told(firsts[0] as Response));
    }
    expect(calls).toHaveLength(1);
    expect((await store.list(everything))?.payments).toHaveLength(1);
  });

  test('quoted and bare is the same key', async () => {
    const { app, calls } = await build();
    const first = await app.inject(keyed('"key-1"'));
    const second = await app.inject(keyed('key-1'));
    expect([second.body, replayed(second)]).toEqual([first.body, 'true']);
    expect(calls).toHaveLength(1);
  });

  test('of 255 characters is one', async () => {
    const { app, calls } = await build();
    for (const last of ['a', 'b', 'a']) await app.inject(keyed('k'.repeat(254) + last));
    expect(calls).toHaveLength(2);
  });

  test.each([[''], ['""'], ['x'.repeat(256)], ['clave-ñ'], ['a\tb']])('%j is no key: 400', async (key) => {
    const { app, calls, store } = await build();
    const response = await app.inject(keyed(key));
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json()).errors).toMatchObject([{ path: 'idempotency-key' }]);
    expect(await store.list(everything)).toEqual({ payments: [], has_more: false });
    expect(calls).toEqual([]);
  });

  test('of a request that was not valid is still free', async () => {
    const { app } = await build();
    expect((await app.inject(keyed('key-1', { ...body, amount: -1 }))).statusCode).toBe(400);
    const first = await app.inject(keyed('key-1'));
    expect([first.statusCode, replayed(first)]).toEqual([201, undefined]);
  });

  test('of a payment that could not be kept is still free', async () => {
    const { app, path, calls } = await build();
    const other = connectTo(path);
    other.exec('BEGIN EXCLUSIVE');
    expect((await app.inject(keyed('key-1'))).statusCode).toBe(503);
    other.exec('ROLLBACK');
    const first = await app.inject(keyed('key-1'));
    expect([first.statusCode, replayed(first)]).toEqual([201, undefined]);
    expect(calls).toHaveLength(1);
  });

  test('two keys are two payments', async () => {
    const { app, calls } = await build();
    const first = paymentOf(await app.inject(keyed('key-1')));
    const second = paymentOf(await app.inject(keyed('key-2')));
    expect(first.payment_id).not.toBe(second.payment_id);
    expect(calls).toHaveLength(2);
  });

  test.each([
    'POST',
    'GET',
  ] as const)('means nothing where nothing is created: %s of another path', async (method) => {
    const { app } = await build();
    const url = method === 'GET' ? '/payments' : '/payments/pmt_x/notification/retry';
    const response = await app.inject({ method, url, headers: { 'idempotency-key': 'key-1' } });
    expect(response.statusCode).toBe(method === 'GET' ? 200 : 404);
  });

  describe('of a request whose answer a crash prevented', () => {
    /** The same request under another key, as a crash leaves it: with its payment, and without an answer. */
    async function crashed(store: Store, app: Server, fields: Partial<Payment>) {
      const first = paymentOf(await app.inject(keyed('key-0')));
      const kept = await store.insert(paymentNumber(9), recordOf('key-0', paymentNumber(9)));
      const payment: Payment = {
        ...((await store.find(first.payment_id)) as Payment),
        ...fields,
        payment_id: 'pmt_crashed',
      };
      await store.insert(payment, recordOf('key-1', payment, { fingerprint: kept?.fingerprint ?? '' }));
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
          notification: { ...notificationWith([]), next_attempt_at: '2998-01-01T00:00:00.000Z' },
        },
      ],
    ])('is answered from the payment, and from then on to the byte: %s', async (_what, fields) => {
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
      expect(told(await app.inject(keyed('key-1')))).toEqual(told(late));
      expect(calls).toEqual([]);
    });

    test('is a 409 while its attempt still runs, as far as anyone knows', async () => {
      const { app, store } = await build();
      await crashed(store, app, { notification_status: 'pending', notification: running() });
      const response = await app.inject(keyed('key-1'));
      expect([response.statusCode, response.headers['retry-after']]).toEqual([409, '1']);
    });
  });

  // A worker has claimed the notification, and begins its attempt between the reading and the writing of the late answer.
  // The late answer is written under the worker's own fence, and writes over the lease: the next worker finds an attempt
  // that looks cut short while its call is under way, and sends a second SMS.
  test('a late answer leaves the lease of whoever has taken the notification on', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'payment-api-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const store = openSqliteStore({ path: join(directory, 'payments.db'), leaseMs: 15_000 });
    onTestFinished(() => store.close());
    const delivery = { begin: (payment: Payment) => postpone(payment, Date.now() - 1) } as Delivery;
    const policy: RetryPolicy = { baseMs: 1, maxMs: 1, ttlMs: day, unknownOutcome: 'resend' };
    const payments = createPayments({ store, delivery, policy });
    const request = { amount_minor: 1, currency: 'COP', customer_id: '1', phone: null, message: null };
    const options = { idempotencyKey: 'key-1', respondAsync: false };
    const log = pino({ level: 'silent' });
    const { payment_id } = await payments.create(request, options, log);
    // As a crash would leave it: without the answer.
    connectTo(join(directory, 'payments.db')).exec('UPDATE idempotency_keys SET answer_status = NULL');

    const find = store.find.bind(store);
    vi.spyOn(store, 'find').mockImplementationOnce(async (id) => {
      const [claimed] = await store.claimDue(1);
      const read = await find(id);
      await store.update(startAttempt(claimed as Payment, 'Aldeamo'));
      return read;
    });
    await payments.create(request, options, log).catch(() => {}); // a 409 is as good an answer as a replay
    expect(askedProvider((await find(payment_id)) as Payment)).toBe('Aldeamo');
    expect(await store.claimDue(10)).toEqual([]);
  });
});

describe('Prefer: respond-async', () => {
  const asking = (prefer: string) => ({ ...post(body), headers: { ...post(body).headers, prefer } });

  test('answers 202 when the payment is durable, and notifies afterwards', async () => {
    const { app, clients, calls, path } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    const response = await app.inject(asking('respond-async'));
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
    const attempts = connectTo(path).prepare('SELECT payment_id, provider, outcome FROM attempts');
    const { payment_id } = payment;
    expect(attempts.all()).toEqual([{ payment_id, provider: 'Aldeamo', outcome: null }]);
    await called;
    letGo();
    await app.close();
    expect(attempts.all()).toEqual([{ payment_id, provider: 'Aldeamo', outcome: 'accepted' }]);
    expect(calls).toHaveLength(1);
  });

  test('closing the app waits for what was only answered so far', async () => {
    const { app, clients, path } = await build();
    const { letGo, called } = hold(clients.Aldeamo);
    clients.Twilio.answer = async () => {
      expect(clients.Twilio.closed).toBe(false);
      return { outcome: 'accepted', message_id: 'SM1' };
    };
    await app.inject(asking('respond-async'));
    await called;
    const closed = vi.fn();
    const closing = app.close().then(closed);
    // Far more turns than a close takes that waits for nobody.
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect([closed.mock.calls.length, clients.Aldeamo.closed]).toEqual([0, false]);
    letGo(refused);
    await closing;
    expect([clients.Aldeamo.closed, clients.Twilio.closed]).toEqual([true, true]);
    const status = connectTo(path).prepare('SELECT notification_service, notification_status FROM payments');
    expect(status.all()).toEqual([{ notification_service: 'Twilio', notification_status: 'sent' }]);
  });

  test('if the payment can not be kept, the answer is 503', async () => {
    const { app, path, calls } = await build();
    connectTo(path).exec('BEGIN EXCLUSIVE');
    expect((await app.inject(asking('respond-async'))).statusCode).toBe(503);
    expect(calls).toEqual([]);
  });

  test.each([
    'respond-async',
    'Respond-Async',
    'wait=10, respond-async',
    'respond-async;foo=bar, wait=1',
  ])('%s asks for it', async (prefer) => {
    const { app } = await build();
    const response = await app.inject(asking(prefer));
    expect([response.statusCode, response.headers['preference-applied']]).toEqual([202, 'respond-async']);
  });

  test.each([
    '',
    'return=minimal',
    'wait=10',
    'respond-asynchronously',
    'x-respond-async',
    'wait=respond-async',
  ])('%j does not', async (prefer) => {
    const { app } = await build();
    const response = await app.inject(asking(prefer));
    expect(response.statusCode).toBe(201);
    expect(response.headers).not.toHaveProperty('preference-applied');
    expect(paymentOf(response).notification_status).toBe('sent');
  });

  test('more than 64 under way wait in the store, and are sent once each', async () => {
    const { app, clients, calls, store } = await build();
    const { letGo } = hold(clients.Aldeamo);
    const answered: PaymentView[] = [];
    for (let number = 0; number < 70; number += 1)
      answered.push(paymentOf(await app.inject(asking('respond-async'))));
    const waiting = answered.filter(({ notification }) => notification.attempts.length === 0);
    expect(waiting).toEqual(answered.slice(64));
    for (const { notification } of waiting) expect(notification.next_attempt_at).not.toBeNull();
    letGo();
    await vi.waitFor(
      async () => {
        const sent = await store.list({ ...everything, notification_status: 'sent' });
        expect(sent?.payments).toHaveLength(70);
      },
      { timeout: 5000 },
    );
    expect(calls).toHaveLength(70);
  });

  // How many are under way is looked at before the payment is kept, and they are counted afterwards: all that arrive
  // within one commit find room.
  test('and no more than 64 of those that arrive at the same time', async () => {
    const { app, clients, calls } = await build();
    hold(clients.Aldeamo);
    await Promise.all(Array.from({ length: 200 }, () => begin(app, asking('respond-async'))));
    expect(calls.length).toBeLessThanOrEqual(64 + 16); // the outbox has its own share
  });
});

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
    notification: { ...notificationWith([refusal]), reason: 'expired' },
  });
  const held = paymentNumber(1, {
    notification: { ...notificationWith([unknown]), reason: 'unknown_outcome' },
  });

  test('of a payment that does not exist: 404', async () => {
    const { app } = await build();
    const response = await app.inject(retry('pmt_x'));
    expect([response.statusCode, response.json().type]).toEqual([404, 'urn:problem:payment-not-found']);
  });

  test.each<[what: string, fields: Partial<Payment>]>([
    ['sent', { notification_status: 'sent', notification_service: 'Aldeamo' }],
    ['delivered', { notification_status: 'delivered', notification_service: 'Aldeamo' }],
    [
      'scheduled',
      { notification: { ...notificationWith([refusal]), next_attempt_at: '2998-01-01T00:00:00.000Z' } },
    ],
    ['running', { notification: running() }],
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
    ['a phone that is none', { phone: '3001234567' }, 'phone'],
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
    const { app, store, path, calls } = await build();
    await store.insert(expired);
    connectTo(path).exec('BEGIN EXCLUSIVE');
    expect((await app.inject(retry(expired.payment_id))).statusCode).toBe(503);
    expect(calls).toEqual([]);
  });
});

describe('GET /payments', () => {
  const pageSchema = z.strictObject({ data: z.array(paymentSchema), has_more: z.boolean() });

  async function buildWithPayments(count: number) {
    const built = await build();
    const ids: string[] = [];
    for (let number = 0; number < count; number += 1) {
      built.clients.Aldeamo.answer = async () =>
        number % 2 === 0
          ? { outcome: 'accepted', message_id: `sms-${number}` }
          : { outcome: 'rejected', reason: 'opted_out' };
      const customer_id = number % 3 === 0 ? 'ana' : 'bea';
      ids.unshift(paymentOf(await built.app.inject(post({ ...body, customer_id }))).payment_id);
    }
    const page = async (query: string) => {
      const response = await built.app.inject(`/payments${query}`);
      expect(response.statusCode).toBe(200);
      const { data, has_more } = pageSchema.parse(response.json());
      expect(response.json().data).toEqual(data); // nothing that the schema does not know
      return { ids: data.map(({ payment_id }) => payment_id), has_more };
    };
    return { page, ids };
  }

  test('is empty at first', async () => {
    const { app } = await build();
    expect((await app.inject('/payments')).json()).toEqual({ data: [], has_more: false });
  });

  test('is the 10 newest, and goes on after the last of them', async () => {
    const { page, ids } = await buildWithPayments(12);
    expect(await page('')).toEqual({ ids: ids.slice(0, 10), has_more: true });
    expect(await page(`?starting_after=${ids[9]}`)).toEqual({ ids: ids.slice(10), has_more: false });
    expect(await page('?limit=12')).toEqual({ ids, has_more: false });
    expect(await page('?limit=11')).toEqual({ ids: ids.slice(0, 11), has_more: true });
    expect(await page('?limit=100')).toEqual({ ids, has_more: false });
  });

  test('can be of one customer, and of one notification status', async () => {
    const { page, ids } = await buildWithPayments(7);
    const where = (matches: (number: number) => boolean) => ({
      ids: ids.filter((_, index) => matches(ids.length - 1 - index)),
      has_more: false,
    });
    expect(await page('?customer_id=ana')).toEqual(where((number) => number % 3 === 0));
    expect(await page('?notification_status=failed')).toEqual(where((number) => number % 2 === 1));
    expect(await page('?customer_id=ana&notification_status=sent')).toEqual(
      where((number) => number % 6 === 0),
    );
    expect(await page('?customer_id=nobody')).toEqual(where(() => false));
    expect(await page('?notification_status=delivered')).toEqual(where(() => false));
  });
});

describe('the circuit', () => {
  const reportSchema = circuitReportSchema.extend({ throttled_until: z.iso.datetime().nullable() }).strict();
  const healthSchema = z.strictObject({
    status: z.literal('healthy'),
    current_notification_service: z.enum(['Aldeamo', 'Twilio']).nullable(),
    circuit_breaker: reportSchema,
    fallback_circuit_breaker: reportSchema,
  });

  async function buildWithOpenCircuit() {
    const built = await build();
    built.clients.Aldeamo.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await built.app.inject(post(body));
    built.calls.length = 0;
    const health = async () => healthSchema.parse((await built.app.inject('/health')).json());
    return { ...built, health };
  }

  test('GET /health says who sends, and why', async () => {
    const { app } = await build();
    const response = await app.inject('/health');
    expect(response.statusCode).toBe(200);
    expect(healthSchema.parse(response.json())).toMatchObject({
      status: 'healthy',
      current_notification_service: 'Aldeamo',
      circuit_breaker: { state: 'closed', consecutive_failures: 0, calls: 0, failures: 0 },
      fallback_circuit_breaker: { state: 'closed' },
    });
  });

  // GET /health tells throttled_until, and the schema, so /openapi.json too, does not know it.
  test('GET /health tells nothing that its schema does not know', async () => {
    const { app } = await build();
    const { circuit_breaker } = (await app.inject('/health')).json();
    expect(circuitReportSchema.parse(circuit_breaker)).toEqual(circuit_breaker);
  });

  test('opens after failures in a row; then Twilio sends, and Aldeamo is not asked', async () => {
    const { app, calls, health } = await buildWithOpenCircuit();
    expect(await health()).toMatchObject({
      current_notification_service: 'Twilio',
      circuit_breaker: { state: 'open', reason: expect.stringContaining('connection_refused') },
    });
    const payment = paymentOf(await app.inject(post(body)));
    expect(payment).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });
    expect(payment.notification.attempts).toMatchObject([
      { provider: 'Aldeamo', outcome: 'not_sent', reason: 'circuit_open' },
      { provider: 'Twilio', outcome: 'accepted' },
    ]);
    expect(calls.map(({ provider }) => provider)).toEqual(['Twilio']);
  });

  test.each(['/force-recovery', '/reset-circuit'])('POST %s closes it if Aldeamo is well', async (url) => {
    const { app, clients, health } = await buildWithOpenCircuit();
    clients.Aldeamo.well = true;
    const response = await app.inject({ method: 'POST', url });
    expect(response.statusCode).toBe(200);
    expect(
      z.strictObject({ status: z.literal('closed'), circuit_breaker: reportSchema }).parse(response.json())
        .circuit_breaker.state,
    ).toBe('closed');
    expect((await health()).current_notification_service).toBe('Aldeamo');
  });

  test.each(['/force-recovery', '/reset-circuit'])('POST %s leaves it open if it is not', async (url) => {
    const { app, clients, health } = await buildWithOpenCircuit();
    clients.Aldeamo.well = false;
    const response = await app.inject({ method: 'POST', url });
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(problemSchema.parse(response.json()).type).toBe('urn:problem:provider-unhealthy');
    expect((await health()).circuit_breaker.state).toBe('open');
  });
});

test('GET / says who is here', async () => {
  const { app } = await build();
  expect((await app.inject('/')).json()).toEqual({ message: 'Servicio de Pagos', status: 'online' });
});

test('/openapi.json names every route, and its answers', async () => {
  const { app } = await build();
  const { paths } = (await app.inject('/openapi.json')).json();
  const answers = Object.entries<Record<string, { responses: object }>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]) => [
      `${method.toUpperCase()} ${path}`,
      Object.keys(responses).join(),
    ]),
  );
  expect(Object.fromEntries(answers)).toEqual({
    'GET /': '200',
    'GET /health': '200',
    'GET /health/live': '200',
    'GET /health/ready': '200,503',
    'POST /payments': '201,202,400,409,422,503',
    'POST /payments/{payment_id}/notification/retry': '200,400,404,409,503',
    'GET /payments': '200,400,503',
    'GET /payments/{payment_id}': '200,404,503',
    'POST /force-recovery': '200,503',
    'POST /reset-circuit': '200,503',
  });
});

describe('the log', () => {
  test.each<[string, Outcome, object]>([
    ['sent', { outcome: 'accepted', message_id: 'sms-1' }, { provider: 'Aldeamo', outcome: 'accepted' }],
    [
      'refused',
      { outcome: 'rejected', reason: 'opted_out' },
      { provider: null, outcome: 'rejected', reason: 'opted_out' },
    ],
    ['handed over', refused, { provider: 'Twilio', outcome: 'accepted' }],
  ])('has one line for a payment that was %s', async (_name, outcome, expected) => {
    const { app, clients, lines } = await build();
    clients.Aldeamo.answer = async () => outcome;
    const { payment_id } = paymentOf(await app.inject(post(body)));
    await app.inject(`/payments/${payment_id}`);
    expect(lines).toMatchObject([
      { msg: 'payment notified', payment_id, duration_ms: expect.any(Number), ...expected },
    ]);
  });

  test('never holds the text or the phone, whatever happens', async () => {
    const { app, clients, path, lines } = await build();
    const secret = { ...body, message: 'texto secreto', phone: '+573009999999' };
    const other = connectTo(path);
    const statuses = [(await app.inject(post(secret))).statusCode];
    clients.Aldeamo.answer = async () => refused;
    statuses.push((await app.inject(post(secret))).statusCode);
    clients.Aldeamo.answer = () => Promise.reject(new Error('a bug of the client'));
    statuses.push((await app.inject(post(secret))).statusCode);
    statuses.push((await app.inject(post({ ...secret, phone: '573009999999' }))).statusCode);
    statuses.push((await app.inject(post('{"phone":"573009999999","message":"texto secreto"'))).statusCode);
    other.exec('BEGIN EXCLUSIVE');
    statuses.push((await app.inject(post(secret))).statusCode);
    expect(statuses).toEqual([201, 201, 201, 400, 400, 503]);
    expect(lines.length).toBeGreaterThanOrEqual(4);
    expect(JSON.stringify(lines)).not.toMatch(/secreto|573009999999/);
  });
});

test('closing the app closes the clients and the store', async () => {
  const { app, clients, store } = await build();
  await app.close();
  expect([clients.Aldeamo.closed, clients.Twilio.closed]).toEqual([true, true]);
  await expect(store.check()).rejects.toThrow();
});

interface Call {
  provider: Provider;
  request: NotifyRequest;
  key: string;
}

/** A provider's client that writes down its calls. It accepts everything until a test wants it otherwise. */
function fakeClient(provider: Provider, calls: Call[]) {
  let accepted = 0;
  const client = {
    answer: async (): Promise<Outcome> => ({ outcome: 'accepted', message_id: `${provider}-${++accepted}` }),
    well: true,
    closed: false,
    /** What it knows of an attempt when it is asked later. */
    known: async (_key: string): Promise<Outcome | undefined> => undefined,
    notify(request: NotifyRequest, key: string) {
      calls.push({ provider, request, key });
      return client.answer();
    },
    ask: (key: string) => client.known(key),
    check: async () => client.well,
    close: async () => {
      client.closed = true;
    },
  };
  return client;
}

const day = 86_400_000;

/**
 * The app as it is, but for the network. What is pending waits for up to a day: the outbox is there, and has no part in
 * these tests.
 */
async function build({ unknownOutcome = 'resend' }: { unknownOutcome?: UnknownOutcomePolicy } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'payment-api-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'payments.db');
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const calls: Call[] = [];
  const clients = { Aldeamo: fakeClient('Aldeamo', calls), Twilio: fakeClient('Twilio', calls) };
  const store = openSqliteStore({ path, leaseMs: 15_000 });
  const policy: RetryPolicy = { baseMs: day, maxMs: day, ttlMs: day, unknownOutcome };
  const notifier = createNotifier({ clients, parameters: circuitBreakerDefaults, policy, log: logger });
  const app = await buildApp({
    store,
    notifier,
    policy,
    outbox: { concurrency: 16, ratePerSecond: 100, keyRetentionMs: day },
    logger,
    version: '1.2.3',
  });
  onTestFinished(() => app.close());
  return { app, store, clients, calls, lines, path };
}

/** Keeps a provider's calls until they are let go, all with the same outcome. */
function hold(client: ReturnType<typeof fakeClient>) {
  const held = Promise.withResolvers<Outcome>();
  const called = Promise.withResolvers<void>();
  client.answer = () => {
    called.resolve();
    return held.promise;
  };
  const letGo = (outcome: Outcome = { outcome: 'accepted', message_id: 'AL1' }) => held.resolve(outcome);
  onTestFinished(() => letGo());
  return { letGo, called: called.promise };
}

/** Sends the request now: inject() waits to be awaited. */
const begin = async (app: Server, request: InjectOptions) => await app.inject(request);
type Response = Awaited<ReturnType<typeof begin>>;

function partition<T>(all: T[], isOne: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isOne), all.filter((one) => !isOne(one))];
}

function keyed(key: string, payload: unknown = body, headers: Record<string, string> = {}): InjectOptions {
  const request = post(payload);
  return { ...request, headers: { ...request.headers, 'idempotency-key': key, ...headers } };
}

function connectTo(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  return db;
}

function post(payload: unknown, type = 'application/json'): InjectOptions {
  return {
    method: 'POST',
    url: '/payments',
    headers: { 'content-type': type },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  };
}

/** The payment of an answer, which has all that the schema says, and nothing else. */
function paymentOf(response: { json: () => unknown }): PaymentView {
  const payment = paymentSchema.parse(response.json());
  expect(response.json()).toEqual(payment);
  return payment;
}
