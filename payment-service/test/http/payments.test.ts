import { hash } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemContentType, problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import { CommitUnknown, StoreUnavailable } from '../../src/store/store.ts';
import { body, build, paymentOf, post, refused, resend } from '../fixture.ts';
import { everything, paymentNumber } from '../store/store-contract.ts';

describe('POST /payments', () => {
  test('responds 201 with the payment and its location', async () => {
    const { app } = await build();
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    const payment = paymentOf(response);
    expect(payment).toEqual({
      payment_id: expect.stringMatching(/^pmt_[0-9a-f]{32}$/),
      status: 'completed',
      amount_minor: 10000,
      client: null,
      reference: null,
      metadata: {},
      amount: 100,
      currency: 'COP',
      customer_id: '123',
      notification_service: 'Aldeamo',
      notification_status: 'sent',
      possible_duplicate: false,
      created_at: expect.any(String),
      updated_at: expect.any(String),
      sent_at: expect.any(String),
      delivered_at: null,
      expires_at: expect.any(String),
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
            mode: null,
            phone_last4: null,
            deliveries: [],
            delivery: null,
          },
        ],
        next_attempt_at: null,
      },
      actions: [],
    });
    expect(response.headers.location).toBe(`/payments/${payment.payment_id}`);
    const found = await app.inject(response.headers.location as string);
    expect(found.statusCode).toBe(200);
    expect(found.body).toBe(response.body);
  });

  test('stores and sends the given fields', async () => {
    const { app, calls } = await build();
    const message = 'Gracias por tu pago 😀\nHasta pronto';
    const response = await app.inject(
      post({ amount: 19.99, customer_id: '1', currency: 'USD', phone: '+573001234567', message }),
    );
    expect(paymentOf(response)).toMatchObject({ amount: 19.99, currency: 'USD', notification: { message } });
    expect(calls).toMatchObject([{ request: { message, customer_id: '1', phone: '+573001234567' } }]);
    expect(response.body).not.toContain('573001234567');
  });

  test('given the same body twice, creates two payments', async () => {
    const { app, calls } = await build();
    const payments = [paymentOf(await app.inject(post(body))), paymentOf(await app.inject(post(body)))];
    expect(new Set(payments.map(({ payment_id }) => payment_id)).size).toBe(2);
    expect(new Set(calls.map(({ key }) => key)).size).toBe(2);
  });

  describe('the amount', () => {
    test.each([
      ['100', '100', '100'],
      ['100.0', '100', '100'],
      ['100.50', '100.5', '100,50'],
      ['0.01', '0.01', '0,01'],
      ['"19.99"', '19.99', '19,99'],
      ['19.99', '19.99', '19,99'],
      // As a double it would be 90071992547409.9.
      ['90071992547409.91', '90071992547409.91', '90.071.992.547.409,91'],
      ['"90071992547409.91"', '90071992547409.91', '90.071.992.547.409,91'],
    ])('given as %s, is returned as %s', async (sent, returned, read) => {
      const { app, calls } = await build();
      const response = await app.inject(post(`{"amount":${sent},"customer_id":"1"}`));
      expect(response.statusCode).toBe(201);
      expect(response.body).toContain(`"amount":${returned},`);
      expect(calls[0]?.request.message).toBe(`Se ha procesado un pago de $${read} con éxito.`);
      const list = await app.inject('/payments');
      expect(list.body).toContain(`"amount":${returned},`);
    });

    test.each([
      [1500, 'JPY', '1.500 JPY'],
      ['19.90', 'EUR', '19,90 EUR'],
      [20, 'USD', '20 USD'],
      ['1.005', 'KWD', '1,005 KWD'],
    ])('given as %s %s, is %s in the default text, one SMS of GSM-7', async (amount, currency, written) => {
      const { app, calls } = await build();
      const { notification } = paymentOf(await app.inject(post({ amount, currency, customer_id: '1' })));
      expect(notification).toMatchObject({ encoding: 'GSM-7', segments: 1 });
      expect(calls[0]?.request.message).toBe(`Se ha procesado un pago de ${written} con éxito.`);
    });

    test('given a currency without decimals, is returned without decimals', async () => {
      const { app } = await build();
      const response = await app.inject(post({ amount: 100, customer_id: '1', currency: 'JPY' }));
      expect(paymentOf(response)).toMatchObject({ amount: 100, currency: 'JPY' });
    });
  });
});

describe('a payment that is stored in a currency since withdrawn', () => {
  test('is shown with its decimals, listed and resent, while a new one is refused with the reason', async () => {
    const { app, store, calls } = await build();
    const stored = paymentNumber(1990, { currency: 'BGN', notification_status: 'failed', reason: 'expired' });
    await store.insert(stored);
    const url = `/payments/${stored.payment_id}`;
    expect(paymentOf(await app.inject(url))).toMatchObject({ amount: 19.9, currency: 'BGN' });
    expect((await app.inject('/payments')).json().data).toMatchObject([{ amount: 19.9, currency: 'BGN' }]);
    const retried = await app.inject(resend(stored.payment_id));
    expect(paymentOf(retried)).toMatchObject({ amount: 19.9, notification_status: 'sent' });
    expect(calls).toHaveLength(1);
    expect((await app.inject(post({ ...body, currency: 'BGN' }))).json().errors).toEqual([
      { path: 'currency', message: 'must be a currency in use: this one has been withdrawn' },
    ]);
  });

  test.each([
    'XXX',
    'XTS',
    'XAU',
    'XAG',
    'XPT',
    'XPD',
    'XBA',
    'XBD',
    'XDR',
    'XSU',
    'XUA',
    'CLF',
    'USN',
    'COU',
  ])('%s, which is no money, is refused with the reason', async (currency) => {
    const { app } = await build();
    expect((await app.inject(post({ ...body, currency }))).json().errors).toEqual([
      { path: 'currency', message: 'must be a currency: this code stands for a fund, a metal or a test' },
    ]);
  });

  test('XCG, which succeeds ANG, is taken', async () => {
    const { app } = await build();
    expect((await app.inject(post({ ...body, currency: 'XCG' }))).statusCode).toBe(201);
    expect((await app.inject(post({ ...body, currency: 'ANG' }))).statusCode).toBe(400);
  });
});

describe('the errors of a request', () => {
  const errorsOf = async (request: InjectOptions): Promise<Record<string, string>> => {
    const { app, calls } = await build();
    const response = await app.inject(request);
    expect(response.statusCode).toBe(400);
    expect(calls).toEqual([]);
    const { errors = [] } = problemSchema.parse(response.json());
    const pairs = errors.map(({ path, message }) => [path, message]);
    expect(new Set(pairs.map(([path]) => path)).size).toBe(pairs.length);
    return Object.fromEntries(pairs);
  };

  test('name every wrong field at once, the amount and unknown ones among them', async () => {
    const wrong = {
      amount: '0.5',
      currency: 'JPY',
      customer_id: '',
      phone: '1',
      message: '',
      color: 1,
      size: 2,
    };
    expect(await errorsOf(post(wrong))).toEqual({
      amount: 'must have at most 0 decimals in JPY',
      customer_id: 'must not be empty',
      phone: 'must be a phone number such as +573001234567',
      message: 'must not be empty',
      color: 'is not a known field',
      size: 'is not a known field',
    });
  });

  test('name too many decimals of the default currency beside another error', async () => {
    expect(await errorsOf(post({ amount: '100.001', customer_id: '' }))).toEqual({
      amount: 'must have at most 2 decimals in COP',
      customer_id: 'must not be empty',
    });
  });

  test('name each field that is absent', async () => {
    expect(await errorsOf(post({}))).toEqual({ amount: 'is required', customer_id: 'is required' });
  });

  const decimal = 'must be a decimal number without an exponent, such as 100.50';
  test.each<[amount: unknown, currency: unknown, error: string | undefined]>([
    ['1e2', 'PESOS', decimal],
    ['-1', 'PESOS', 'must be more than 0'],
    ['0.00', 'PESOS', 'must be more than 0'],
    [null, 'PESOS', 'must be a number or a decimal string'],
    ['1.2345', 'PESOS', undefined],
    ['9007199254740992', 'PESOS', 'is larger than this service supports'],
    ['9007199254740991', 'PESOS', undefined],
    ['0.005', 'BGN', undefined],
    ['x', 5, decimal],
    ['x', null, decimal],
  ])('given an amount of %j in %j, which is no currency, name the amount if it is wrong in all', async (amount, currency, error) => {
    const errors = await errorsOf(post({ amount, currency, customer_id: '1' }));
    expect(errors.amount).toBe(error);
    expect(errors.currency).toMatch(/^must be/);
  });

  test.each<[field: string, value: unknown]>([
    ['customer_id', ''],
    ['customer_id', ' '],
    ['customer_id', undefined],
    ['phone', '1'],
    ['phone', 1],
    ['message', ''],
    ['message', 'x'.repeat(1601)],
    ['currency', ''],
    ['color', 'red'],
  ])('name a wrong amount beside a wrong %s of %j', async (field, value) => {
    const errors = await errorsOf(post({ ...body, [field]: value, amount: 0 }));
    expect(Object.keys(errors).sort()).toEqual(['amount', field].sort());
  });

  test('name a wrong Idempotency-Key beside a wrong body', async () => {
    const request = post({ ...body, amount: 0 });
    const headers = { ...request.headers, 'idempotency-key': 'é' };
    expect(await errorsOf({ ...request, headers })).toEqual({
      amount: 'must be more than 0',
      'idempotency-key':
        'must be one key of 1 to 255 printable ASCII characters, in quotes if it has " , or ;',
    });
  });

  test('name a wrong id in the path beside a wrong body', async () => {
    const url = `/customers/${encodeURIComponent('a\u0000')}`;
    expect(await errorsOf({ method: 'PUT', url, payload: { phone: '1' } })).toEqual({
      customer_id: 'must not contain control or invisible characters',
      phone: 'must be a phone number such as +573001234567',
    });
  });
});

describe('the payment routes', () => {
  const amount = (text: string, rest = '"customer_id":"1"') => `{"amount":${text},${rest}}`;
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

  test.each<[name: string, request: InjectOptions, status: number, paths?: string[]]>([
    ['no body', { method: 'POST', url: '/payments' }, 400, ['body']],
    ['an empty body', post(''), 400],
    ['a body that is not JSON', post('amount=100'), 400],
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
    [
      'a body in ISO-8859-1',
      { ...post(''), payload: Buffer.from(JSON.stringify({ ...body, message: 'ñ' }), 'latin1') },
      400,
    ],
    ['a body that says so', post(body, 'application/json; charset=iso-8859-1'), 415],
    ['an amount twice', post('{"amount":1,"customer_id":"1","amount":2}'), 400],
    ['an amount of an object with a name twice', post(amount('{"a":1,"a":2}')), 400],
    ['a query', { ...post(body), url: '/payments?dry_run=true' }, 400, ['dry_run']],
    ['a query with __proto__', { ...post(body), url: '/payments?__proto__=1' }, 400, ['__proto__']],

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
    ['a customer that shows nothing', post({ ...body, customer_id: '\u3164\u2800' }), 400, ['customer_id']],
    ['a customer of 300 characters', post({ ...body, customer_id: 'x'.repeat(300) }), 400, ['customer_id']],
    ['a control character', post({ ...body, customer_id: 'a\u0000b' }), 400, ['customer_id']],
    ['an invisible character', post({ ...body, customer_id: 'a\u202eb' }), 400, ['customer_id']],
    ['half a surrogate pair', post(amount('1', '"customer_id":"\\ud800"')), 400, ['customer_id']],
    ['a numeric customer', post({ ...body, customer_id: 123 }), 400, ['customer_id']],

    ['an empty message', post({ ...body, message: '' }), 400, ['message']],
    ['a message of 10 KB', post({ ...body, message: 'x'.repeat(10 * 1024) }), 400, ['message']],
    ['a null message', post({ ...body, message: null }), 400, ['message']],
    ['a message with an escape', post({ ...body, message: 'a\u001b[2J' }), 400, ['message']],
    ['an unknown currency', post({ ...body, currency: 'PESOS' }), 400, ['currency']],
    ['a withdrawn currency', post({ ...body, currency: 'BGN' }), 400, ['currency']],
    ['a unit of account', post({ ...body, currency: 'XDR' }), 400, ['currency']],
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
    ['an internal field', post({ ...body, amount_minor: 1 }), 400, ['amount_minor']],
    ['__proto__', post(amount('1', '"customer_id":"1","__proto__":{"phone":"x"}')), 400, ['__proto__']],
    ['constructor', post(amount('1', '"customer_id":"1","constructor":{}')), 400, ['constructor']],
    [
      'several invalid fields',
      post({ amount: 0, customer_id: '', phone: '1', message: '', currency: 'x', y: 1 }),
      400,
    ],

    ['a GET of another path', { url: '/payments/a/nope' }, 404],
    ['a DELETE of another path', { method: 'DELETE', url: '/payments/a/nope' }, 404],
    ['a DELETE of a payment', { method: 'DELETE', url: '/payments/x' }, 405],
    ['a PUT of a payment', { method: 'PUT', url: '/payments/x' }, 405],
    ['a payment that does not exist', { url: '/payments/pmt_x' }, 404],
    ['a payment that looks like SQL', { url: `/payments/${encodeURIComponent("' OR 1=1 --")}` }, 404],
    ['a malformed path', { url: '/payments/%zz' }, 400],
    ['a path that is no UTF-8', { url: '/payments/%FF' }, 400],
    ['a query that is no UTF-8', { url: '/payments?customer_id=%FF' }, 400],
    ['a malformed query', { url: '/payments?customer_id=%zz' }, 400],
    ['a query of a payment', { url: '/payments/pmt_x?expand=1' }, 400, ['expand']],
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
    ['an unknown status', { url: '/payments?notification_status=x' }, 400, ['notification_status']],
    ['an empty customer in the query', { url: '/payments?customer_id=' }, 400, ['customer_id']],
    ['an unknown parameter', { url: '/payments?offset=1' }, 400, ['offset']],
    ['__proto__ as a parameter', { url: '/payments?__proto__=1' }, 400, ['__proto__']],
    ['a parameter twice', { url: '/payments?limit=1&limit=2' }, 400, ['limit']],
  ])('given %s, respond with a problem, and store and send nothing', async (_name, request, status, paths) => {
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

  test('given text/plain, respond 415', async () => {
    const { app } = await build();
    expect((await app.inject(post(JSON.stringify(body), 'text/plain'))).statusCode).toBe(415);
  });

  test('given an overlong payment id, respond without a server error', async () => {
    const { app } = await build();
    expect((await app.inject(`/payments/${'x'.repeat(101)}`)).statusCode).toBeLessThan(500);
  });
});

describe('the notification of a payment', () => {
  test.each<[string, { Aldeamo: Outcome; Twilio?: Outcome }, Partial<PaymentView>, (string | null)[]]>([
    [
      'given Aldeamo down, fails over to Twilio',
      { Aldeamo: refused },
      { notification_status: 'sent', notification_service: 'Twilio', possible_duplicate: false },
      ['Aldeamo not_sent connection_refused', 'Twilio accepted null'],
    ],
    [
      'given an unknown outcome of Aldeamo, fails over to Twilio with a possible duplicate',
      { Aldeamo: { outcome: 'unknown', reason: 'deadline_passed' } },
      { notification_status: 'sent', notification_service: 'Twilio', possible_duplicate: true },
      ['Aldeamo unknown deadline_passed', 'Twilio accepted null'],
    ],
    [
      'given both providers down, stays pending',
      { Aldeamo: refused, Twilio: { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 1000 } },
      { notification_status: 'pending', notification_service: null, possible_duplicate: false },
      ['Aldeamo not_sent connection_refused', 'Twilio not_sent throttled'],
    ],
    [
      'given a recipient that Aldeamo rejects, fails without a call to Twilio',
      { Aldeamo: { outcome: 'rejected', reason: 'opted_out' } },
      { notification_status: 'failed', notification_service: null, possible_duplicate: false },
      ['Aldeamo rejected opted_out'],
    ],
  ])('%s, and the payment is completed', async (_name, outcomes, notification, attempts) => {
    const { app, clients } = await build();
    clients.Aldeamo.answer = async () => outcomes.Aldeamo;
    if (outcomes.Twilio) clients.Twilio.answer = async () => outcomes.Twilio as Outcome;
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    const payment = paymentOf(response);
    expect(payment).toMatchObject({ status: 'completed', ...notification });
    const reported = payment.notification.attempts;
    expect(reported.map(({ provider, outcome, reason }) => `${provider} ${outcome} ${reason}`)).toEqual(
      attempts,
    );
    expect((await app.inject(`/payments/${payment.payment_id}`)).body).toBe(response.body);
  });
});

describe('the payment routes and the store', () => {
  test('record each attempt, without an outcome, before its call', async () => {
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

  test('given an unavailable store, respond 503 and send nothing', async () => {
    const { app, store, calls } = await build();
    store.locked = true;
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.headers['retry-after']).toBe('1');
    expect(response.json().type).toBe('/problems/store-unavailable');
    expect(response.body).not.toMatch(/locked|sqlite/i);
    expect((await app.inject('/health/ready')).statusCode).toBe(503);
    expect((await app.inject('/health/live')).statusCode).toBe(200);
    store.locked = false;
    expect(await store.list(everything)).toEqual({ payments: [], has_more: false });
    expect(calls).toEqual([]);
    expect((await app.inject('/health/ready')).statusCode).toBe(200);
    expect((await app.inject(post(body))).statusCode).toBe(201);
  });

  test('given an unknown commit, respond 503 that it may be recorded, and send nothing', async () => {
    const { app, store, calls } = await build();
    Object.assign(store, { insert: () => Promise.reject(new CommitUnknown('lost')) });
    const response = await app.inject(post(body));
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
    expect(response.json()).toMatchObject({
      type: '/problems/store-unavailable',
      detail: expect.stringContaining('may have been recorded'),
    });
    expect(calls).toEqual([]);
  });

  test('given a store that cannot be read, respond 503', async () => {
    const { app, store } = await build();
    const down = () => Promise.reject(new StoreUnavailable('the store does not answer'));
    Object.assign(store, { find: down, list: down });
    for (const url of ['/payments', '/payments/pmt_x']) {
      const response = await app.inject(url);
      expect([response.statusCode, response.json().type]).toEqual([503, '/problems/store-unavailable']);
    }
  });

  test('given a store that fails after a provider has accepted, return the payment as it is on record', async () => {
    const { app, store, clients, lines } = await build();
    clients.Aldeamo.answer = async () => {
      store.locked = true;
      return { outcome: 'accepted', message_id: 'sms-1' };
    };
    // Not a 503: a client that repeats a request without a key pays twice.
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    const payment = paymentOf(response);
    expect(payment).toMatchObject({
      notification_status: 'pending',
      notification_service: null,
      notification: { attempts: [{ provider: 'Aldeamo', outcome: null }] },
    });
    expect(lines.map(({ msg }) => msg)).toContain('an outcome could not be recorded');
    expect(paymentOf(await app.inject(`/payments/${payment.payment_id}`))).toEqual(payment);
  });

  test('given a store that fails between the two providers, do not call the second', async () => {
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

describe('ttl_seconds', () => {
  test('sets when the notification expires, and is passed on to the provider', async () => {
    const { app, calls, store } = await build();
    const payment = paymentOf(await app.inject(post({ ...body, ttl_seconds: 90 })));
    const [recorded] = store.recorded();
    const lifetime = Date.parse(String(recorded?.expires_at)) - Date.parse(payment.created_at);
    expect(lifetime).toBe(90_000);
    expect(calls[0]?.request.ttl_seconds).toBe(90);
  });

  test.each([
    0,
    -1,
    1.5,
    86_401,
    '90',
    null,
    1e300,
  ])('given %j, responds 400 that names it', async (ttl_seconds) => {
    const { app, store } = await build();
    const response = await app.inject(post({ ...body, ttl_seconds }));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ path: 'ttl_seconds' }]);
    expect(store.recorded()).toEqual([]);
  });

  test('is part of what a key is compared by, and an absent one leaves the fingerprint as it was', async () => {
    const { app, store } = await build();
    const paying = (fields: object) => {
      const request = post({ ...body, ...fields });
      return app.inject({ ...request, headers: { ...request.headers, 'idempotency-key': 'one' } });
    };
    const first = await paying({ ttl_seconds: 90 });
    expect((await paying({ ttl_seconds: 90 })).body).toBe(first.body);
    for (const fields of [{}, { ttl_seconds: 91 }]) expect((await paying(fields)).statusCode).toBe(422);

    await app.inject({ ...post(body), headers: { ...post(body).headers, 'idempotency-key': 'two' } });
    const fields = [10_000, 'COP', '123', null, null];
    expect((await store.findKey('two'))?.fingerprint).toBe(hash('sha256', JSON.stringify(fields)));
  });
});

describe('reference and metadata', () => {
  const given = { reference: 'order-1042', metadata: { shop: 'Chapinero', amount: '7' } };

  test('are returned with the payment, and absent ones are null and empty', async () => {
    const { app } = await build();
    const { payment_id } = paymentOf(await app.inject(post({ ...body, ...given })));
    expect((await app.inject(`/payments/${payment_id}`)).json()).toMatchObject(given);
    expect(paymentOf(await app.inject(post(body)))).toMatchObject({ reference: null, metadata: {} });
  });

  test.each([
    [{ reference: '' }, 'reference'],
    [{ reference: null }, 'reference'],
    [{ reference: 'x'.repeat(256) }, 'reference'],
    [{ metadata: [] }, 'metadata'],
    [{ metadata: { amount: 7 } }, 'metadata.amount'],
    [{ metadata: { '': 'x' } }, 'metadata'],
    [{ metadata: { nested: { a: 'b' } } }, 'metadata.nested'],
    [{ metadata: { a: 'x'.repeat(2048) } }, 'metadata'],
  ])('given %j, responds 400 that names it', async (fields, path) => {
    const { app, store } = await build();
    const response = await app.inject(post({ ...body, ...fields }));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ path }]);
    expect(store.recorded()).toEqual([]);
  });

  test('are part of what a key is compared by, in any order, and absent ones leave the fingerprint as it was', async () => {
    const { app, store } = await build();
    const paying = (fields: object, key = 'one') => {
      const request = post({ ...body, ...fields });
      return app.inject({ ...request, headers: { ...request.headers, 'idempotency-key': key } });
    };
    const first = await paying(given);
    const reordered = { ...given, metadata: Object.fromEntries(Object.entries(given.metadata).reverse()) };
    expect((await paying(reordered)).body).toBe(first.body);
    for (const fields of [{}, { ...given, reference: 'order-1043' }, { reference: given.reference }])
      expect((await paying(fields)).statusCode).toBe(422);

    const nearlyAlike = { 'a,b': 'c', a: 'b,c' };
    await paying({ metadata: nearlyAlike }, 'three');
    const again = await paying({ metadata: { a: 'b,c', 'a,b': 'c' } }, 'three');
    expect([again.statusCode, again.headers['idempotent-replayed']]).toEqual([201, 'true']);

    await paying({ metadata: {} }, 'two');
    const fields = [10_000, 'COP', '123', null, null];
    const fingerprint = hash('sha256', JSON.stringify(fields));
    expect((await store.findKey('two'))?.fingerprint).toBe(fingerprint);
  });
});
