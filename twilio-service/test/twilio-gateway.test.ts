import fc from 'fast-check';
import { idSchema, type Outcome, reasonSchema } from 'service-kit/contract/notification.ts';
import type { Gateway } from 'service-kit/provider/gateway.ts';
import { describe, expect, test } from 'vitest';
import { twilio } from '../../test/doubles/twilio-upstream.ts';
import { ample, phone, short, sms } from '../../test/provider-fixture.ts';
import { twilioErrors } from '../src/twilio-errors.ts';
import { readAnswer } from '../src/twilio-gateway.ts';
import { from, startGateway } from './fixture.ts';

type Answer = Parameters<Awaited<ReturnType<typeof startGateway>>['upstream']['answerNext']>[0];

describe('a send', () => {
  test('is made, and is accepted', async () => {
    const { upstream, gateway } = await startGateway();
    const outcome = await gateway.send(sms);
    expect(upstream.violations).toEqual([]);
    expect(upstream.ledger).toEqual([
      {
        sid: expect.stringMatching(/^SM/),
        to: phone,
        text: 'Pago recibido',
        from,
        messagingServiceSid: null,
        statusCallback: null,
        validityPeriod: null,
      },
    ]);
    expect(outcome).toEqual({ outcome: 'accepted', message_id: upstream.ledger[0]?.sid });
  });

  test('can go through a messaging service', async () => {
    const { upstream, gateway } = await startGateway({ sender: { MessagingServiceSid: 'MG1' } });
    await expect(gateway.send(sms)).resolves.toMatchObject({ outcome: 'accepted' });
    expect(upstream.violations).toEqual([]);
    expect(upstream.ledger).toMatchObject([{ from: null, messagingServiceSid: 'MG1' }]);
  });

  test('can be made with an API key', async () => {
    const { upstream, gateway } = await startGateway({ username: 'SK1', password: 'secret' });
    upstream.apiKeys.set('SK1', 'secret');
    await expect(gateway.send(sms)).resolves.toMatchObject({ outcome: 'accepted' });
  });

  test.each([
    'á + b & c = 100% ✓ 😀\n#',
    'x'.repeat(1600),
  ])('has the text unchanged: %.20j', async (message) => {
    const { upstream, gateway } = await startGateway();
    await gateway.send({ ...sms, message });
    expect(upstream.ledger).toMatchObject([{ text: message }]);
  });

  test('given a public URL, requests receipts, with its key in the URL', async () => {
    const { upstream, gateway } = await startGateway({ publicUrl: 'https://sms.example.com:8443/t' });
    await gateway.send({ ...sms, idempotency_key: 'a&b=c d/1#?' });
    await gateway.send({ ...sms, idempotency_key: null });
    expect(upstream.ledger.map(({ statusCallback }) => statusCallback)).toEqual([
      'https://sms.example.com:8443/t/webhooks/twilio/status?key=a%26b%3Dc%20d%2F1%23%3F#rc=5&rp=all',
      null,
    ]);
  });

  test.each([
    [1, 1],
    [2, 2],
    [35_999, 35_999],
    [36_000, 36_000],
    [36_001, 36_000],
    [86_400, 36_000],
    [Number.MAX_SAFE_INTEGER, 36_000],
    [undefined, null],
  ])('that is worth delivering for %s s is kept by Twilio for %s s', async (ttl_seconds, validityPeriod) => {
    const { upstream, gateway } = await startGateway();
    await gateway.send({ ...sms, ttl_seconds });
    expect(upstream.ledger).toMatchObject([{ validityPeriod }]);
    expect(upstream.violations).toEqual([]);
  });

  test('given no phone, is not made', async () => {
    const { upstream, gateway } = await startGateway();
    const { phone: _phone, ...withoutPhone } = sms;
    await expect(gateway.send(withoutPhone)).resolves.toEqual({
      outcome: 'rejected',
      reason: 'phone_unknown',
      no_outage: true,
    });
    expect(upstream.sends).toBe(0);
  });
});

const notSent = (reason: string, more = {}): Outcome => ({ outcome: 'not_sent', reason, ...more });
const unknown = (reason: string): Outcome => ({ outcome: 'unknown', reason });
const noOutage = { no_outage: true };

const rejected = (reason: string): Outcome => ({ outcome: 'rejected', reason });

describe("each of Twilio's codes has an outcome", () => {
  const hour = { retry_after_ms: 3_600_000 };
  /** A kind of code, its codes, the outcome, and the fault that a person is alerted of. */
  const kinds: [kind: string, codes: number[], outcome: (reason: string) => Outcome, fault?: string][] = [
    ['recipient invalid', [21211, 21614, 21635, 21266, 30004, 30005, 30006], rejected],
    ['recipient opted out', [21610], rejected],
    ['this destination', [21612, 21265, 21268, 21604], (reason) => notSent(reason, noOutage)],
    ['this text', [21617, 21619, 21602, 21658, 14103], (reason) => notSent(reason, noOutage)],
    ['permission', [21408, 21608], (reason) => notSent(reason, noOutage), 'permission'],
    [
      'credentials, account',
      [20003, 20005, 20403, 20404, 10001, 30002, 30037, 70051],
      (reason) => notSent(reason, { account_refused: true }),
      'account',
    ],
    [
      'sender, messaging service',
      [
        ...[21212, 21606, 21607, 21616, 21659, 21660, 21661, 21701, 21702, 21703, 21704, 21705, 21708],
        ...[21709, 21711, 21712, 14108, 30018, 30024, 30032, 30034, 30040, 30041, 30042, 30043],
      ],
      (reason) => notSent(reason, noOutage),
      'sender',
    ],
    ['our callback URL', [21609], (reason) => notSent(reason, noOutage), 'sender'],
    [
      'cap',
      [63038, 30454, 30022, 30023, 30027],
      (reason) => notSent(reason, { ...hour, ...noOutage }),
      'cap',
    ],
    ['temporary', [21730, 30500, 20504], (reason) => notSent(reason)],
    ['throttled', [20429, 21611, 30001], (reason) => notSent(reason, { retry_after_ms: 1000 })],
    ['ambiguous', [20500], unknown],
  ];

  test('these are all codes of the table', () => {
    expect([...twilioErrors.keys()].toSorted()).toEqual(kinds.flatMap(([, codes]) => codes).toSorted());
  });

  const rows = kinds.flatMap(([kind, codes, outcome, fault]) =>
    codes.map((code) => [kind, code, outcome(`twilio_${code}`), fault] as const),
  );
  describe.each(rows)('%s: %i', (_kind, code, outcome, fault) => {
    test.each<[string, Answer]>([
      ['as an error', twilio.error(code)],
      ['as an error whose code is text', twilio.http(400, { code: String(code) })],
      ['of a message that failed at once', twilio.failedAtOnce(code)],
      [
        'as text, of a message that failed at once',
        twilio.http(201, { sid: 'SM1', status: 'failed', error_code: String(code) }),
      ],
      ['of a message that was canceled at once', twilio.failedAtOnce(code, 'canceled')],
    ])('%s', async (_how, answer) => {
      const { upstream, gateway, alerts } = await startGateway();
      upstream.answerNext(answer);
      await expect(gateway.send(sms)).resolves.toEqual(outcome);
      expect(upstream.sends).toBe(1);
      expect(alerts()).toMatchObject(
        fault
          ? [
              {
                level: 50,
                provider: 'Twilio',
                reason: `twilio_${code}`,
                ...(fault === 'account' ? { account: 'refused' } : { fault }),
              },
            ]
          : [],
      );
    });
  });

  test.each([
    [429, '7', 7000],
    [400, '86400', 86_400_000],
    [429, undefined, 3_600_000],
  ])('given a cap with %i and Retry-After %s, Twilio is left alone for %i ms', async (status, header, ms) => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(twilio.error(63038, status, header ? { 'retry-after': header } : {}));
    await expect(gateway.send(sms)).resolves.toMatchObject({ outcome: 'not_sent', retry_after_ms: ms });
  });

  test.each([
    [20504, 504, unknown('twilio_20504')],
    [30500, 500, unknown('twilio_30500')],
    [21730, 503, notSent('twilio_21730')],
  ])('given %i with %i, is unknown unless the code says that nothing was sent', async (code, status, outcome) => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(twilio.error(code, status));
    await expect(gateway.send(sms)).resolves.toEqual(outcome);
  });

  const sendTo = async (gateway: Gateway, ...phones: string[]) => {
    const outcomes = [];
    for (const phone of phones) outcomes.push(await gateway.send({ ...sms, phone }));
    return outcomes.map((outcome) => 'account_refused' in outcome && outcome.account_refused);
  };
  const [one, two, three] = ['+573000000001', '+573000000002', '+573000000003'];

  test.each([
    21606, 21609, 29999,
  ])('given %i for three recipients in a row, every SMS is refused', async (code) => {
    const { upstream, gateway, account } = await startGateway();
    upstream.answerAll(twilio.error(code));
    expect(await sendTo(gateway, one, one, two, three)).toEqual([false, false, false, true]);
    expect(account.report()).toMatchObject({ state: 'refused', reason: `twilio_${code}` });
  });

  test.each([
    21408, 21608, 21612, 21617, 63038, 30454, 21730, 30500, 20504, 20429, 21211, 30003,
  ])('given %i for five recipients in a row, the account is not refused', async (code) => {
    const { upstream, gateway, account } = await startGateway();
    upstream.answerAll(code === 30003 ? twilio.failedAtOnce(code) : twilio.error(code));
    expect(await sendTo(gateway, one, two, three, '+573000000004', phone)).toEqual(Array(5).fill(false));
    expect(account.report().state).toBe('unknown');
  });
});

describe('each other answer has an outcome', () => {
  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    [
      '429 with Retry-After',
      twilio.error(20429, 429, { 'retry-after': '7' }),
      notSent('twilio_20429', { retry_after_ms: 7000 }),
    ],
    [
      'maintenance with Retry-After',
      twilio.error(21730, 503, { 'retry-after': '120' }),
      notSent('twilio_21730', { retry_after_ms: 120_000 }),
    ],
    [
      'a declined text with Retry-After',
      twilio.error(21617, 400, { 'retry-after': '120' }),
      notSent('twilio_21617', noOutage),
    ],
    [
      'a Retry-After that cannot be read',
      twilio.error(63038, 429, { 'retry-after': 'soon' }),
      notSent('twilio_63038', { retry_after_ms: 3_600_000, ...noOutage }),
    ],
    ['429 without a code', twilio.http(429), notSent('http_429', { retry_after_ms: 1000 })],
    ['an unknown code with 429', twilio.error(99999, 429), notSent('twilio_99999', { retry_after_ms: 1000 })],
    ['an unknown code with 400', twilio.error(99999, 400), notSent('twilio_99999', noOutage)],
    ['an unknown code with 404', twilio.error(99999, 404), notSent('twilio_99999', noOutage)],
    [
      'an unknown code with 401',
      twilio.error(99999, 401),
      notSent('twilio_99999', { account_refused: true }),
    ],
    ['an unknown code with 403', twilio.error(99999, 403), notSent('twilio_99999', noOutage)],
    ['an unknown code with 503', twilio.error(99999, 503), unknown('twilio_99999')],
    ['an unknown code at once', twilio.failedAtOnce(30007), notSent('twilio_30007', noOutage)],
    ['no code at once', twilio.failedAtOnce(null), notSent('twilio_failed', noOutage)],
    [
      'no code, undelivered',
      twilio.failedAtOnce(null, 'undelivered'),
      notSent('twilio_undelivered', noOutage),
    ],
    ['canceled at once', twilio.failedAtOnce(null, 'canceled'), notSent('twilio_canceled', noOutage)],
    [
      'canceled at once, without a sid',
      twilio.http(201, { status: 'canceled' }),
      notSent('twilio_canceled', noOutage),
    ],
    ['401 without a code', twilio.http(401), notSent('http_401', { account_refused: true })],
    ['403 without a code', twilio.http(403, '<html>'), notSent('http_403', noOutage)],
    ['404 without a code', twilio.http(404, '<html>'), notSent('http_404', noOutage)],
    ['405 without a code', twilio.http(405), notSent('http_405', noOutage)],
    ['408 without a code', twilio.http(408), notSent('http_408')],
    ['413 without a code', twilio.http(413), notSent('http_413', noOutage)],
    ['400 without a code', twilio.http(400, {}), notSent('http_400', noOutage)],
    [
      'a code as digits',
      twilio.http(400, { code: '21211' }),
      { outcome: 'rejected', reason: 'twilio_21211' },
    ],
    [
      'a code as digits, at once',
      twilio.http(201, { sid: 'SM1', status: 'failed', error_code: '30005' }),
      { outcome: 'rejected', reason: 'twilio_30005' },
    ],
    ['a code that is none', twilio.http(400, { code: 'x21211' }), notSent('http_400', noOutage)],
    ['a code that is negative', twilio.http(400, { code: -21211 }), notSent('http_400', noOutage)],
    ['a code beyond all numbers', twilio.http(400, '{"code":1e400}'), notSent('http_400', noOutage)],
    [
      'a code of a hundred digits',
      twilio.http(400, { code: '9'.repeat(100) }),
      notSent('http_400', noOutage),
    ],
    [
      'a code of twenty digits',
      twilio.http(400, `{"code":${'9'.repeat(20)}}`),
      notSent('http_400', noOutage),
    ],
    ...[null, undefined, '', 0, {}].map((sid): [string, Answer, Outcome] => [
      `a number that is none at once, with the sid ${JSON.stringify(sid)}`,
      twilio.http(201, { sid, status: 'failed', error_code: 21211 }),
      { outcome: 'rejected', reason: 'twilio_21211' },
    ]),
    [
      'no code and no sid, undelivered',
      twilio.http(201, { sid: null, status: 'undelivered' }),
      notSent('twilio_undelivered', noOutage),
    ],
    [
      'a code, and neither a sid nor a status',
      twilio.http(201, { status: 5, error_code: '21610' }),
      { outcome: 'rejected', reason: 'twilio_21610' },
    ],
    ['a sid that is a number', twilio.http(201, { sid: 123 }), { outcome: 'accepted', message_id: '123' }],
    [
      'a sid that is a number of 64 bits',
      twilio.http(201, '{"sid":9223372036854775807,"status":null}'),
      { outcome: 'accepted', message_id: '9223372036854775807' },
    ],
    ['201 with a sid that is none', twilio.http(201, { sid: [] }), unknown('unreadable_answer')],
    ['201 with the sid 0', twilio.http(201, { sid: 0 }), unknown('unreadable_answer')],
    [
      'a sid that cannot be printed or stored',
      twilio.http(201, { sid: 'SM\u0000\ud800\u202e' }),
      { outcome: 'accepted', message_id: 'SM\ufffd\ufffd\ufffd' },
    ],
    [
      'a sid of 400 characters',
      twilio.http(201, { sid: 'x'.repeat(400) }),
      { outcome: 'accepted', message_id: 'x'.repeat(255) },
    ],
    [
      'texts that are not JSON',
      twilio.http(201, '{"sid":"SM1","body":"a\nb\u0000\\x"}'),
      { outcome: 'accepted', message_id: 'SM1' },
    ],
    [
      'texts that are not UTF-8',
      ({ response }) => response.writeHead(201).end(Buffer.from('{"sid":"SM1","body":"ó"}', 'latin1')),
      { outcome: 'accepted', message_id: 'SM1' },
    ],
    [
      'UTF-16',
      ({ response }) => response.writeHead(201).end(Buffer.from('{"sid":"SM1"}', 'utf16le')),
      { outcome: 'accepted', message_id: 'SM1' },
    ],
    ['302', twilio.http(302, '', { location: '/' }), notSent('http_302')],
    ['307 with a code', twilio.error(21211, 307, { location: '/' }), notSent('http_307')],
    ['500', twilio.http(500), unknown('http_500')],
    ['502', twilio.http(502, '<html>'), unknown('http_502')],
    ['503', twilio.http(503), unknown('http_503')],
    ['504', twilio.http(504), unknown('http_504')],
    ['201 with half a body', twilio.garbage, unknown('unreadable_answer')],
    ['201 with an empty body', twilio.empty, unknown('unreadable_answer')],
    ['201 without a sid', twilio.http(201, { status: 'queued' }), unknown('unreadable_answer')],
    ['200', twilio.http(200, { sid: 'SM1' }), unknown('unreadable_answer')],
    ['a connection cut before it was taken', twilio.cutBefore, unknown('connection_lost')],
    ['a connection cut after it was taken', twilio.cutAfter, unknown('connection_lost')],
    [
      'a status that is new',
      twilio.http(201, { sid: 'SM1', status: 'new' }),
      { outcome: 'accepted', message_id: 'SM1' },
    ],
  ])('%s', async (_what, answer, outcome) => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(answer);
    await expect(gateway.send(sms)).resolves.toEqual(outcome);
    expect(upstream.sends).toBe(1); // made once, without a retry
    expect(upstream.violations).toEqual([]);
  });

  test('given silence, is unknown when the deadline has passed', async () => {
    const { upstream, gateway } = await startGateway({ timeoutMs: short });
    upstream.answerNext(twilio.silence);
    await expect(gateway.send(sms)).resolves.toEqual(unknown('deadline_passed'));
  });

  test('given no listener, is not sent', async () => {
    const { upstream, gateway } = await startGateway();
    await upstream[Symbol.asyncDispose]();
    await expect(gateway.send(sms)).resolves.toEqual(notSent('connection_refused'));
  });

  test('given a wrong token, is not sent', async () => {
    const { upstream, gateway } = await startGateway({ password: 'wrong' });
    await expect(gateway.send(sms)).resolves.toEqual(notSent('twilio_20003', { account_refused: true }));
    expect(upstream.ledger).toEqual([]);
  });
});

describe('whatever its fields are,', () => {
  const value = fc.oneof(fc.jsonValue(), fc.double(), fc.string({ unit: 'binary' }));
  const odd = fc.record(
    {
      sid: value,
      status: value,
      error_code: value,
      code: value,
      price: value,
      body: value,
      ['__proto__']: value,
    },
    { requiredKeys: [] },
  );

  test('an answer has an outcome whose id and reason are printable', () => {
    const status = fc.constantFrom(200, 201, 302, 400, 401, 403, 404, 429, 500, 503);
    const body = fc.oneof(
      odd.map((fields) => JSON.stringify(fields)),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(status, fc.oneof(fc.constant(undefined), fc.string()), body, (status, retryAfter, body) => {
        const { outcome } = readAnswer({ status, retryAfter, body });
        if (outcome.outcome === 'accepted')
          expect(outcome.message_id).toBe(idSchema.parse(outcome.message_id));
        else expect(outcome.reason).toBe(reasonSchema.parse(outcome.reason));
      }),
      { seed: 20, numRuns: 500 },
    );
  });

  test('a 201 with a sid that has not failed is accepted', () => {
    fc.assert(
      fc.property(odd, fc.string({ unit: 'binary', minLength: 1 }), (fields, sid) => {
        fc.pre(fields.status !== 'failed' && fields.status !== 'undelivered');
        const { outcome } = readAnswer({
          status: 201,
          retryAfter: undefined,
          body: JSON.stringify({ ...fields, sid }),
        });
        expect(outcome).toEqual({ outcome: 'accepted', message_id: idSchema.parse(sid) });
      }),
      { seed: 20, numRuns: 500 },
    );
  });
});

describe('the check', () => {
  test.each([
    ['{"messages":[]}', { state: 'healthy' }],
    ['{"messages":[{"sid":"SM1"}],"page":0}', { state: 'healthy' }],
    ...['', '{}', '[]', 'null', '{"messages":null}', '<html>Welcome</html>', '{"error":"no route"}'].map(
      (body): [string, object] => [body, { state: 'unknown', reason: 'unreadable_answer' }],
    ),
  ])('given a 200 with %s, is %o', async (body, check) => {
    const { upstream, gateway } = await startGateway();
    upstream.account = (response) => response.writeHead(200).end(body);
    await expect(gateway.check()).resolves.toEqual(check);
  });

  test.each([
    [302, { state: 'unhealthy', reason: 'http_302' }],
    [401, { state: 'refused', reason: 'credentials' }],
    [403, { state: 'unknown', reason: 'check_forbidden' }],
    [404, { state: 'unknown', reason: 'http_404' }],
    [405, { state: 'unknown', reason: 'http_405' }],
    [429, { state: 'unknown', reason: 'http_429' }],
    [500, { state: 'unhealthy', reason: 'http_500' }],
    [503, { state: 'unhealthy', reason: 'http_503' }],
  ])('given an API that answers %i, is %o', async (status, check) => {
    const { upstream, gateway } = await startGateway();
    upstream.account = (response) => response.writeHead(status).end();
    await expect(gateway.check()).resolves.toEqual(check);
    expect(upstream.violations).toEqual([]);
    expect(upstream.sends).toBe(0);
  });

  test.each([
    [401, 20003, { state: 'refused', reason: 'credentials' }],
    [401, 70051, { state: 'unknown', reason: 'check_forbidden' }],
    [403, 20003, { state: 'unknown', reason: 'check_forbidden' }],
    [404, 20404, { state: 'unknown', reason: 'twilio_20404' }],
    [429, 20429, { state: 'unknown', reason: 'twilio_20429' }],
    [500, 20500, { state: 'unhealthy', reason: 'http_500' }],
  ])('given an API that answers %i with %i, is %o', async (status, code, check) => {
    const { upstream, gateway } = await startGateway();
    upstream.account = (response) => response.writeHead(status).end(JSON.stringify({ code }));
    await expect(gateway.check()).resolves.toEqual(check);
  });

  test('succeeds with a Standard API key', async () => {
    const { upstream, gateway } = await startGateway({ username: 'SK1', password: 'secret' });
    await expect(gateway.check()).resolves.toEqual({ state: 'refused', reason: 'credentials' });
    upstream.apiKeys.set('SK1', 'secret');
    await expect(gateway.check()).resolves.toEqual({ state: 'healthy' });
    expect(upstream.violations).toEqual([]);
    const response = await fetch(`${upstream.url}/2010-04-01/Accounts/${upstream.accountSid}.json`, {
      headers: { authorization: `Basic ${btoa('SK1:secret')}` },
    });
    expect([response.status, await response.json()]).toMatchObject([401, { code: 20003 }]);
  });

  test('given an API key that may only create messages, says nothing of the account, which a send does', async () => {
    const { upstream, gateway, account } = await startGateway({ username: 'SK1', password: 'secret' });
    upstream.apiKeys.set('SK1', 'secret');
    upstream.restrictedKeys.add('SK1');
    const check = await gateway.check();
    account.learnFromCheck(check);
    expect([check, account.report().state]).toEqual([
      { state: 'unknown', reason: 'check_forbidden' },
      'unknown',
    ]);
    await expect(gateway.send(sms)).resolves.toMatchObject({ outcome: 'accepted' });
    expect(account.report().state).toBe('ok');
  });

  test('given a wrong token, is refused; given an API that is silent or down, is unhealthy', async () => {
    await expect((await startGateway({ password: 'wrong' })).gateway.check()).resolves.toEqual({
      state: 'refused',
      reason: 'credentials',
    });
    const { upstream, gateway } = await startGateway({ timeoutMs: short });
    upstream.account = () => {};
    await expect(gateway.check()).resolves.toMatchObject({ state: 'unhealthy' });
    await upstream[Symbol.asyncDispose]();
    await expect(gateway.check()).resolves.toMatchObject({ state: 'unhealthy' });
  });
});

test('a redirected send is an alert, and is not followed', async () => {
  const { upstream, gateway, alerts } = await startGateway();
  upstream.answerAll(twilio.http(308, '', { location: upstream.url }));
  await gateway.send(sms);
  await gateway.send(sms);
  expect(upstream.sends).toBe(2);
  expect(alerts()).toMatchObject([{ level: 50, provider: 'Twilio', fault: 'sender', reason: 'http_308' }]);
});

test('a fault of the account is one log line at the beginning and one at the end', {
  timeout: ample,
}, async () => {
  const { upstream, gateway, alerts } = await startGateway();
  // Two kinds in turn are two lines, not one a send.
  for (const code of [20003, 21606, 20003, 21606, 20003]) {
    upstream.answerNext(twilio.error(code));
    await gateway.send(sms);
  }
  expect(alerts()).toMatchObject([
    { account: 'refused', reason: 'twilio_20003' },
    { fault: 'sender', reason: 'twilio_21606' },
  ]);
  upstream.answerNext(twilio.error(21211)); // says nothing about the account
  await gateway.send(sms);
  expect(alerts()).toHaveLength(2);
  await gateway.send(sms);
  await gateway.send(sms);
  expect(alerts().slice(2)).toMatchObject([{ level: 30, account: 'ok' }]);
  upstream.answerNext(twilio.error(20003));
  await gateway.send(sms);
  expect(alerts()).toHaveLength(4);
});
