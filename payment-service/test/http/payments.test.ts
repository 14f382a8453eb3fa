import type { InjectOptions } from 'fastify';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemContentType, problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import { CommitUnknown, StoreUnavailable } from '../../src/store/store.ts';
import { body, build, paymentOf, post, refused } from '../fixture.ts';
import { everything } from '../store/store-contract.ts';

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
        encoding: 'GSM-7',
        segments: 1,
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
    ...['abc', '+0123456789', '+57300', '+1234567890123456', '', 573001234567].map(
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
    const { app, store, clients } = await build();
    const attempts = () =>
      store
        .recorded()
        .flatMap((payment) => payment.attempts.map(({ provider, outcome }) => ({ provider, outcome })));
    const seen: unknown[] = [];
    clients.Aldeamo.answer = async () => {
      seen.push(attempts());
      return refused;
    };
    clients.Twilio.answer = async () => {
      seen.push(attempts());
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
    expect(attempts().at(-1)).toEqual({ provider: 'Twilio', outcome: 'accepted' });
  });

  test('if it can not be, the answer is 503 and nothing is sent', async () => {
    const { app, store, calls } = await build();
    store.locked = true;
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.headers['retry-after']).toBe('1');
    expect(response.json().type).toBe('urn:problem:store-unavailable');
    expect(response.body).not.toMatch(/locked|sqlite/i);
    expect((await app.inject('/health/ready')).statusCode).toBe(503);
    expect((await app.inject('/health/live')).statusCode).toBe(200);
    store.locked = false;
    expect(await store.list(everything)).toEqual({ payments: [], has_more: false });
    expect(calls).toEqual([]);
    expect((await app.inject('/health/ready')).statusCode).toBe(200);
    expect((await app.inject(post(body))).statusCode).toBe(201);
  });

  test('if nobody knows whether it is, the answer is 503 and says so, and nothing is sent', async () => {
    const { app, store, calls } = await build();
    Object.assign(store, { insert: () => Promise.reject(new CommitUnknown('lost')) });
    const response = await app.inject(post(body));
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
    expect(response.json()).toMatchObject({
      type: 'urn:problem:store-unavailable',
      detail: expect.stringContaining('may have been recorded'),
    });
    expect(calls).toEqual([]);
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
    const { app, store, clients, lines } = await build();
    clients.Aldeamo.answer = async () => {
      store.locked = true;
      return { outcome: 'accepted', message_id: 'sms-1' };
    };
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    const payment = paymentOf(response);
    expect(payment).toMatchObject({ notification_status: 'sent', notification_service: 'Aldeamo' });
    expect(lines.map(({ msg }) => msg)).toContain('an outcome could not be recorded');
    store.locked = false;
    // What is on record is an attempt that may have happened.
    const found = paymentOf(await app.inject(`/payments/${payment.payment_id}`));
    expect(found.notification_status).toBe('pending');
    expect(found.notification.attempts).toMatchObject([{ provider: 'Aldeamo', outcome: null }]);
  });

  test('if it fails between the two providers, the second one is not asked', async () => {
    const { app, store, clients, calls } = await build();
    clients.Aldeamo.answer = async () => {
      store.locked = true;
      return refused;
    };
    const response = await app.inject(post(body));
    store.locked = false;
    expect(response.statusCode).toBe(201);
    expect(paymentOf(response)).toMatchObject({ notification_status: 'pending', notification_service: null });
    expect(calls.map(({ provider }) => provider)).toEqual(['Aldeamo']);
  });
});
