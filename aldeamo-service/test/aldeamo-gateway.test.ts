import type { Outcome } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import { cpuTimeOf } from '../../test/cpu-time.ts';
import { aldeamo, aldeamoPackage } from '../../test/doubles/aldeamo-upstream.ts';
import { ample, phone, short, sms } from '../../test/provider-fixture.ts';
import { startGateway } from './fixture.ts';

type Answer = Parameters<Awaited<ReturnType<typeof startGateway>>['upstream']['answerNext']>[0];

describe('a send', () => {
  test('is made with its key as the label, and is accepted', async () => {
    const { upstream, gateway } = await startGateway();
    const outcome = await gateway.send(sms);
    expect(upstream.violations).toEqual([]);
    expect(upstream.ledger).toEqual([
      {
        transactionId: expect.any(Number),
        to: phone,
        text: 'Pago recibido',
        encoding: 'GSM7',
        correlationLabel: 'pmt_1-1',
      },
    ]);
    expect(outcome).toEqual({
      outcome: 'accepted',
      message_id: String(upstream.ledger[0]?.transactionId),
    });
  });

  test('given no key, has a random label', async () => {
    const { upstream, gateway } = await startGateway();
    await gateway.send({ ...sms, idempotency_key: null });
    await gateway.send({ ...sms, idempotency_key: null });
    expect(upstream.violations).toEqual([]);
    expect(new Set(upstream.ledger.map(({ correlationLabel }) => correlationLabel)).size).toBe(2);
  });

  test.each([
    ['Se procesó un pago de $100 con éxito', 'UTF-8'], // ó is not in GSM-7, é is
    ['Café año ¿sí? €', 'UTF-8'], // nor is í
    ['Señor Muñoz, pagó 10€ [ok] ~', 'UTF-8'],
    ['Señor Muñoz, pago 10€ [ok] ~', 'GSM7'],
    ['Listo ✓', 'UTF-8'],
    ['Gracias 😀', 'UTF-8'],
    ['"dos\nlineas" & <mas>', 'GSM7'],
  ])('writes %j as %s', async (message, encoding) => {
    const { upstream, gateway } = await startGateway();
    await expect(gateway.send({ ...sms, message })).resolves.toMatchObject({ outcome: 'accepted' });
    expect(upstream.violations).toEqual([]);
    expect(upstream.ledger).toMatchObject([{ text: message, encoding }]);
  });

  test.each([
    '+573001234567',
    '+14155552671',
    '+5491123456789',
    '+4915112345678',
    '+50688881234',
  ])('given %s, has the calling code in a field of its own', async (to) => {
    const { upstream, gateway } = await startGateway();
    await gateway.send({ ...sms, phone: to });
    expect(upstream.ledger).toMatchObject([{ to }]);
  });

  test.each<[string | undefined, string]>([
    [undefined, 'phone_unknown'],
    ['+999123456789', 'phone_invalid'],
  ])('given %s as the phone, is not made', async (to, reason) => {
    const { upstream, gateway } = await startGateway();
    const { phone: _phone, ...withoutPhone } = sms;
    const outcome = await gateway.send(to ? { ...withoutPhone, phone: to } : withoutPhone);
    expect(outcome).toEqual({ outcome: 'rejected', reason, no_outage: true });
    expect(upstream.sends).toBe(0);
  });

  test('beyond the concurrency limit is not made, and is no outage', async () => {
    const { upstream, gateway } = await startGateway({ maxConcurrency: 1, timeoutMs: 500 });
    upstream.answerAll(aldeamo.silence);
    const first = gateway.send(sms);
    await expect(gateway.send(sms)).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'overloaded',
      no_outage: true,
    });
    await first;
  });
});

describe('each answer is an outcome', () => {
  const entry = { mobile: '3001234567', status: 1, reason: 'OK', correlationLabel: 'pmt_1-1' };
  const received = (...entries: unknown[]) =>
    aldeamo.http(200, { status: 1, result: { receivedRequests: entries } });
  const whole = (status: unknown, ...entries: unknown[]) =>
    aldeamo.http(200, { status, result: { receivedRequests: entries, failedRequests: null } });
  const failedEntry = (failed: unknown) => aldeamo.http(200, { result: { failedRequests: [failed] } });
  const taken7: Outcome = { outcome: 'accepted', message_id: '7' };
  const unreadable: Outcome = { outcome: 'unknown', reason: 'unreadable_answer' };
  const rejected = (reason: string): Outcome => ({ outcome: 'rejected', reason });
  /** Of this one message, so that it is no sign of an outage. */
  const declined = (reason: string): Outcome => ({ outcome: 'not_sent', reason, no_outage: true });
  /** Every SMS is refused. */
  const refused = (reason: string): Outcome => ({ outcome: 'not_sent', reason, account_refused: true });

  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    ['an entry with the status 1', received({ ...entry, transactionId: 7 }), taken7],
    ['an entry with the status "1"', received({ ...entry, transactionId: 7, status: '1' }), taken7],
    ['an entry without a status', received({ transactionId: 7 }), taken7],
    ['an entry whose status is null', received({ transactionId: 7, status: null }), taken7],
    ['an entry in an answer without a status', whole(undefined, { ...entry, transactionId: 7 }), taken7],
    ['an entry in an answer whose status is "1"', whole('1', { ...entry, transactionId: 7 }), taken7],
    ['an entry in an answer whose status is 0', whole(0, { ...entry, transactionId: 7 }), taken7],
    [
      'an entry with the status -6 among those received',
      aldeamo.refusedAmongReceived(-6, 'Ruta no disponible'),
      declined('aldeamo_-6'),
    ],
    ['the status "-6"', aldeamo.refusedAmongReceived('-6', ''), declined('aldeamo_-6')],
    [
      'the status -6, and its text says why',
      aldeamo.refusedAmongReceived(-6, 'GSM inválido'),
      rejected('phone_invalid'),
    ],
    [
      'the status 0, and its text says why',
      aldeamo.refusedAmongReceived(0, 'En lista negra'),
      rejected('blocked'),
    ],
    [
      'a status of no known meaning, without a word',
      aldeamo.refusedAmongReceived(2, ''),
      { outcome: 'unknown', reason: 'aldeamo_2' },
    ],
    ['a status that is no number', aldeamo.refusedAmongReceived('ERROR', ''), unreadable],
    [
      'a status that is no number, and its text says why',
      aldeamo.refusedAmongReceived('ERROR', 'Número inválido'),
      rejected('phone_invalid'),
    ],
    [
      'a route that is not configured',
      aldeamo.refusedAmongReceived(-2, 'Sin ruta'),
      refused('route_not_configured'),
    ],
    ['-2 among those failed', aldeamo.refused('', -2), refused('route_not_configured')],
    ['"-2" without a word', aldeamo.refusedAmongReceived('-2', ''), refused('route_not_configured')],
    ['no route, in text alone', aldeamo.refused('Ruta no configurada'), refused('route_not_configured')],
    ['a used-up package', aldeamo.usedUp, refused('balance')],
    ['no package', aldeamo.refused('No available package'), refused('balance')],
    ['an expired package', aldeamo.refused('Paquete vencido'), refused('balance')],
    ['an entry with -1, without a word', aldeamo.refused('', -1), declined('aldeamo_-1')],
    [
      'an entry with -1, and its text says why',
      aldeamo.refused('Número inválido', -1),
      rejected('phone_invalid'),
    ],
    [
      'an entry with -1 for credentials',
      aldeamo.refused('Error de autenticación', -1),
      refused('credentials'),
    ],
    ['an invalid number', aldeamo.refused('Número inválido'), rejected('phone_invalid')],
    ['an invalid GSM', aldeamo.refused('Invalid GSM'), rejected('phone_invalid')],
    ['a wrong format', aldeamo.refused('No cumple con el formato'), rejected('phone_invalid')],
    ['blocked', aldeamo.refused('Blocked'), rejected('blocked')],
    ['on the black list', aldeamo.refused('Número en lista negra'), rejected('blocked')],
    ['on an exclusion list', aldeamo.refused('Lista de exclusiones'), rejected('blocked')],
    ['opted out', aldeamo.refused('Subscriber opted out'), rejected('opted_out')],
    ['any other refusal', aldeamo.refused('Ruta no disponible'), declined('aldeamo_-6')],
    ['a refusal without a number', failedEntry({ reason: 'Ruta no disponible' }), declined('refused')],
    ['a refusal with the status 1', aldeamo.refused('', 1), declined('refused')],
    ['a refusal whose status is a phone', aldeamo.refused('', 3_001_234_567), declined('refused')],
    ['no words at all', failedEntry({}), declined('refused')],
    ['the whole request with -1', aldeamo.error(-1, 'Error'), refused('credentials')],
    [
      'the whole request with "-1"',
      aldeamo.http(200, { status: '-1', reason: '', result: null }),
      refused('credentials'),
    ],
    [
      'the whole request with -1, and an entry',
      whole(-1, { ...entry, transactionId: 7 }),
      refused('credentials'),
    ],
    ['the whole request with -2', aldeamo.error(-2, 'Bloqueado'), refused('route_not_configured')],
    ['no balance for the whole request', aldeamo.error(-3, 'Saldo insuficiente'), refused('balance')],
    [
      'no balance, with a status that is not negative',
      aldeamo.error(0, 'Paquete sin saldo'),
      refused('balance'),
    ],
    ['the account blocked', aldeamo.error(-4, 'Cuenta bloqueada'), refused('account_blocked')],
    // Perhaps about the account, so that another provider may send it.
    [
      'the whole request blocked',
      aldeamo.error(-7, 'Bloqueado'),
      { outcome: 'not_sent', reason: 'aldeamo_-7' },
    ],
    [
      'the whole request refused without a word',
      aldeamo.error(-5, ''),
      { outcome: 'not_sent', reason: 'aldeamo_-5' },
    ],
    [
      'the whole request refused, with a result that is none',
      aldeamo.http(200, { status: '-3', reason: null, result: 'error' }),
      { outcome: 'not_sent', reason: 'aldeamo_-3' },
    ],
    [
      'the whole request refused, with an entry that has no status',
      whole(-3, { transactionId: 7 }),
      { outcome: 'not_sent', reason: 'aldeamo_-3' },
    ],
    [
      'the whole request refused, and an entry that says why',
      whole(-3, { ...entry, status: undefined, reason: 'Número inválido' }),
      rejected('phone_invalid'),
    ],
    ['the whole request refused, and an entry that was received', whole(-3, entry), unreadable],
    [
      'a transaction id that is a string',
      received({ ...entry, transactionId: 'tx-1' }),
      { outcome: 'accepted', message_id: 'tx-1' },
    ],
    [
      'no transaction id: its label finds it, too',
      received(entry),
      { outcome: 'accepted', message_id: 'pmt_1-1' },
    ],
    [
      'a transaction id that cannot be printed or stored',
      received({ ...entry, transactionId: 'tx\u0000-\ud800-\u202e' }),
      { outcome: 'accepted', message_id: 'tx\ufffd-\ufffd-\ufffd' },
    ],
    [
      'a transaction id of 400 characters',
      received({ ...entry, transactionId: 'x'.repeat(400) }),
      { outcome: 'accepted', message_id: 'x'.repeat(255) },
    ],
    [
      'a transaction id of 64 bits',
      aldeamo.http(200, '{"result":{"receivedRequests":[{"transactionId":9223372036854775807}]}}'),
      { outcome: 'accepted', message_id: '9223372036854775807' },
    ],
    [
      'a transaction id beyond all numbers',
      aldeamo.http(200, '{"result":{"receivedRequests":[{"transactionId":1e400}]}}'),
      { outcome: 'accepted', message_id: 'pmt_1-1' },
    ],
    [
      'a transaction id that is none: its label finds it, too',
      received({ ...entry, transactionId: { id: 7 } }),
      { outcome: 'accepted', message_id: 'pmt_1-1' },
    ],
    [
      'an entry behind one that is none',
      received(null, { transactionId: 7 }),
      { outcome: 'accepted', message_id: '7' },
    ],
    [
      'taken, with all other fields as they should not be',
      aldeamo.http(200, {
        status: {},
        reason: [],
        result: {
          totalRequest: '1',
          receivedRequests: [{ transactionId: 7, reason: 1, mobile: {} }],
          failedRequests: 'none',
        },
      }),
      { outcome: 'accepted', message_id: '7' },
    ],
    [
      'refused, with the other list as it should not be',
      aldeamo.http(200, {
        result: { receivedRequests: {}, failedRequests: [{ reason: 'Número inválido' }] },
      }),
      rejected('phone_invalid'),
    ],
    ['401', aldeamo.unauthorized, refused('credentials')],
    ['403', aldeamo.forbidden, refused('credentials')],
    ['429', aldeamo.throttled(), { outcome: 'not_sent', reason: 'throttled' }],
    [
      '429 with Retry-After',
      aldeamo.throttled('7'),
      { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 7000 },
    ],
    ['400', aldeamo.http(400), { outcome: 'not_sent', reason: 'http_400', no_outage: true }],
    ['400 with words', aldeamo.http(400, { status: -400, reason: 'Bad JSON' }), declined('http_400')],
    ['400 with -1', aldeamo.http(400, { status: -1, reason: 'Error' }), refused('credentials')],
    ['402 with words', aldeamo.http(402, { reason: 'Paquete sin saldo' }), refused('balance')],
    [
      '422 with an entry',
      aldeamo.http(422, { result: { failedRequests: [{ reason: 'Invalid GSM' }] } }),
      rejected('phone_invalid'),
    ],
    [
      '400 with an entry that was received',
      aldeamo.http(400, { status: 1, result: { receivedRequests: [entry] } }),
      declined('http_400'),
    ],
    ['404', aldeamo.http(404), { outcome: 'not_sent', reason: 'http_404' }],
    ['302', aldeamo.http(302, '', { location: '/' }), { outcome: 'not_sent', reason: 'http_302' }],
    [
      '307 with a reason',
      aldeamo.http(307, { reason: 'Moved' }, { location: '/' }),
      { outcome: 'not_sent', reason: 'http_307' },
    ],
    [
      '500 with words',
      aldeamo.http(500, { status: -1, reason: 'Número inválido' }),
      { outcome: 'unknown', reason: 'http_500' },
    ],
    ['500', aldeamo.http(500), { outcome: 'unknown', reason: 'http_500' }],
    ['502', aldeamo.http(502), { outcome: 'unknown', reason: 'http_502' }],
    ['503', aldeamo.http(503, '', { 'retry-after': '3' }), { outcome: 'unknown', reason: 'http_503' }],
    ['504', aldeamo.http(504, '<html>'), { outcome: 'unknown', reason: 'http_504' }],
    ['200 with half a body', aldeamo.garbage, unreadable],
    ['200 with an empty body', aldeamo.empty, unreadable],
    ['200 with a web page', aldeamo.http(200, '<html>'), unreadable],
    ['200 with no entries', received(), unreadable],
    ['200 with null', aldeamo.http(200, 'null'), unreadable],
    ['200 with a status and no more', aldeamo.http(200, { status: 1, reason: 'OK' }), unreadable],
    ['200 with an entry that is none', received('3001234567'), unreadable],
    [
      'a connection cut before it was taken',
      aldeamo.cutBefore,
      { outcome: 'unknown', reason: 'connection_lost' },
    ],
    [
      'a connection cut after it was taken',
      aldeamo.cutAfter,
      { outcome: 'unknown', reason: 'connection_lost' },
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
    upstream.answerNext(aldeamo.silence);
    await expect(gateway.send(sms)).resolves.toEqual({ outcome: 'unknown', reason: 'deadline_passed' });
  });

  test('given no listener, is not sent', async () => {
    const { upstream, gateway } = await startGateway();
    await upstream[Symbol.asyncDispose]();
    await expect(gateway.send(sms)).resolves.toEqual({ outcome: 'not_sent', reason: 'connection_refused' });
  });

  test('given a wrong password, is not sent', async () => {
    const { upstream, gateway } = await startGateway({ password: 'wrong' });
    await expect(gateway.send(sms)).resolves.toEqual(refused('credentials'));
    expect(upstream.ledger).toEqual([]);
  });
});

describe('an answer that is not UTF-8', () => {
  const bytes =
    (json: string, contentType?: string): Answer =>
    ({ accept, response }) => {
      accept();
      response
        .writeHead(200, contentType ? { 'content-type': contentType } : {})
        .end(Buffer.from(json, 'latin1'));
    };
  const taken =
    '{"reason":"Petición","result":{"receivedRequests":[{"transactionId":7,"reason":"Número\u0000\\x"}]}}';
  const refusedOne = '{"result":{"failedRequests":[{"reason":"Número inválido"}]}}';

  test.each([
    undefined,
    'application/json',
    'application/json; charset=utf-8',
    'application/json; charset=ISO-8859-1',
    'application/json; charset=utf-16',
    'application/json; charset=unheard-of',
  ])('and that comes as %s, is accepted all the same', async (contentType) => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(bytes(taken, contentType));
    await expect(gateway.send(sms)).resolves.toEqual({ outcome: 'accepted', message_id: '7' });
  });

  test('is read by its charset', async () => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(bytes(refusedOne, 'application/json;charset="iso-8859-1"'));
    await expect(gateway.send(sms)).resolves.toEqual({ outcome: 'rejected', reason: 'phone_invalid' });
  });

  test('and does not say so, is still a refusal of the number', async () => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(bytes(refusedOne));
    await expect(gateway.send(sms)).resolves.toEqual({
      outcome: 'rejected',
      reason: 'phone_invalid',
    });
  });
});

test('an answer of any length is read in no time', async () => {
  const { upstream, gateway } = await startGateway();
  upstream.answerNext(aldeamo.refused('numero paquete '.repeat(4000)));
  expect(await cpuTimeOf(() => gateway.send(sms))).toBeLessThan(500);
});

describe('a run of sends to different recipients', () => {
  const sendThree = async ({ gateway }: Awaited<ReturnType<typeof startGateway>>) => {
    const outcomes: Outcome[] = [];
    for (const digit of ['1', '2', '3'])
      outcomes.push(await gateway.send({ ...sms, phone: `+57300123456${digit}` }));
    return outcomes;
  };

  test.each([
    ['the whole with -5', aldeamo.error(-5, '')],
    ['an entry with -1', aldeamo.refused('', -1)],
    ['a redirect', aldeamo.http(302, '', { location: '/' })],
  ])('that are refused with %s is a fault of the account', async (_what, answer) => {
    const started = await startGateway();
    started.upstream.answerAll(answer);
    const outcomes = await sendThree(started);
    const isRefused = outcomes.map((outcome) => 'account_refused' in outcome);
    expect(isRefused).toEqual([false, false, true]);
  });

  test.each([
    ['an entry with -6', aldeamo.refused('Operador no disponible')],
    ['an entry with -6 among those received', aldeamo.refusedAmongReceived(-6, '')],
    ['400', aldeamo.http(400)],
    ['an invalid number', aldeamo.refused('Invalid GSM')],
  ])('that are refused with %s is none', async (_what, answer) => {
    const started = await startGateway();
    started.upstream.answerAll(answer);
    await sendThree(started);
    expect(started.account.report().state).toBe('unknown');
    expect(started.alerts()).toEqual([]);
  });
});

describe('the check', () => {
  const packages = (...list: object[]) => JSON.stringify({ status: 1, reason: 'OK', result: list });
  const ofSms = (available: unknown, state = 'ENABLED') => ({ available, state, packageType: 'SMS' });
  const healthy = { state: 'healthy' };

  test.each<[status: number, body: string, check: object]>([
    [200, packages(ofSms(1200)), { ...healthy, balance: 1200 }],
    [200, packages(ofSms('1200'), ofSms(34)), { ...healthy, balance: 1234 }],
    [200, packages({ available: 5, state: 'enabled', packageType: 'sms' }), { ...healthy, balance: 5 }],
    [
      200,
      packages(ofSms(7), ofSms(100, 'EXPIRED'), ofSms(100, 'DISABLED'), ofSms(1, 'FINISHED')),
      { ...healthy, balance: 7 },
    ],
    [200, packages(ofSms(7), { ...ofSms(100), packageType: 'FLASH' }), { ...healthy, balance: 7 }],
    [200, packages(ofSms(0)), { ...healthy, balance: 0 }],
    [200, packages(ofSms(0, 'FINISHED')), { ...healthy, balance: 0 }],
    [200, packages(), healthy],
    [200, packages({ ...ofSms(100), packageType: 'DOC' }), healthy],
    [200, packages(ofSms(7), ofSms('many')), healthy],
    [200, packages(ofSms(7), ofSms(null)), healthy],
    [
      200,
      '{"status":1,"result":[null,1,"x",{"available":3,"state":"ENABLED","packageType":"SMS"}]}',
      { ...healthy, balance: 3 },
    ],
    [200, '{"status":"1","result":{"packages":[]}}', healthy],
    [200, '{"status":1}', healthy],
    [200, '{"result":[{"available":3,"state":"ENABLED","packageType":"SMS"}]}', { ...healthy, balance: 3 }],
    [200, '{}', { state: 'unknown', reason: 'unreadable_answer' }],
    [200, '{"error":"no route"}', { state: 'unknown', reason: 'unreadable_answer' }],
    [200, '{"status":"ERROR"}', { state: 'unknown', reason: 'unreadable_answer' }],
    [200, '{"status":0}', { state: 'unknown', reason: 'aldeamo_0' }],
    [200, '{"status":2,"result":[]}', { state: 'unknown', reason: 'aldeamo_2' }],
    [200, '{"status":-573001234567}', { state: 'unknown', reason: 'refused' }],
    [200, '{"status":-1,"reason":"Error"}', { state: 'refused', reason: 'credentials' }],
    [200, '{"status":"-1"}', { state: 'refused', reason: 'credentials' }],
    [200, '{"status":-8,"reason":"País +573001234567"}', { state: 'unknown', reason: 'aldeamo_-8' }],
    [200, '<html>', { state: 'unknown', reason: 'unreadable_answer' }],
    [200, '[]', { state: 'unknown', reason: 'unreadable_answer' }],
    [200, '', { state: 'unknown', reason: 'unreadable_answer' }],
    [302, '', { state: 'unknown', reason: 'http_302' }],
    [404, '', { state: 'unknown', reason: 'http_404' }],
    [429, '', { state: 'unknown', reason: 'http_429' }],
    [401, '', { state: 'refused', reason: 'credentials' }],
    [403, '', { state: 'unknown', reason: 'check_forbidden' }],
    [500, '', { state: 'unhealthy', reason: 'http_500' }],
    [503, '{"status":-1}', { state: 'unhealthy', reason: 'http_503' }],
  ])('given a %i with %.80s, is %o', async (status, body, check) => {
    const { upstream, gateway } = await startGateway();
    upstream.packageReport = (response) => response.writeHead(status).end(body);
    await expect(gateway.check()).resolves.toEqual(check);
    expect(upstream.violations).toEqual([]);
    expect(upstream.sends).toBe(0);
  });

  test('asks for the packages, and reports how many SMS are left', async () => {
    const { upstream, gateway } = await startGateway();
    upstream.packages = [aldeamoPackage(3), { ...aldeamoPackage(9), state: 'EXPIRED' }];
    await gateway.send(sms);
    await expect(gateway.check()).resolves.toEqual({ state: 'healthy', balance: 2 });
    expect(upstream.violations).toEqual([]);
  });

  test('given a wrong password, is refused', async () => {
    const { gateway } = await startGateway({ password: 'wrong' });
    await expect(gateway.check()).resolves.toEqual({ state: 'refused', reason: 'credentials' });
  });

  test('given a host that is silent or down, is unhealthy', async () => {
    const { upstream, gateway } = await startGateway({ timeoutMs: short });
    upstream.packageReport = () => {};
    await expect(gateway.check()).resolves.toEqual({ state: 'unhealthy', reason: 'deadline_passed' });
    await upstream[Symbol.asyncDispose]();
    await expect(gateway.check()).resolves.toEqual({ state: 'unhealthy', reason: 'connection_refused' });
  });
});

test('refused credentials are one log line at the beginning and one at the end', {
  timeout: ample,
}, async () => {
  const { upstream, gateway, alerts } = await startGateway();
  upstream.answerAll(aldeamo.unauthorized);
  for (let send = 0; send < 5; send += 1) await gateway.send(sms);
  expect(alerts()).toMatchObject([
    { level: 50, provider: 'Aldeamo', account: 'refused', reason: 'credentials' },
  ]);
  upstream.answerAll(aldeamo.http(500));
  await gateway.send(sms); // says nothing about the credentials
  expect(alerts()).toHaveLength(1);
  upstream.answerAll(aldeamo.accepted);
  await gateway.send(sms);
  await gateway.send(sms);
  expect(alerts()).toMatchObject([{ level: 50 }, { level: 30, account: 'ok' }]);
  upstream.answerAll(aldeamo.unauthorized);
  await gateway.send(sms);
  await gateway.send(sms);
  expect(alerts()).toHaveLength(3);
});
