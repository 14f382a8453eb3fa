import type { Outcome } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import { aldeamo } from '../../test/doubles/aldeamo-upstream.ts';
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
  const unreadable: Outcome = { outcome: 'unknown', reason: 'unreadable_answer' };

  test.each<[what: string, answer: Answer, outcome: Outcome]>([
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
      'a transaction id that is none: its label finds it, too',
      received({ ...entry, transactionId: { id: 7 } }),
      { outcome: 'accepted', message_id: 'pmt_1-1' },
    ],
    [
      'taken, though another list is null and the status negative',
      aldeamo.http(200, {
        status: -1,
        result: { receivedRequests: [{ ...entry, transactionId: 7 }], failedRequests: null },
      }),
      { outcome: 'accepted', message_id: '7' },
    ],
    [
      'an invalid number',
      aldeamo.refused('Número inválido'),
      { outcome: 'rejected', reason: 'Número inválido' },
    ],
    [
      'opted out',
      aldeamo.refused('Subscriber opted out'),
      { outcome: 'rejected', reason: 'Subscriber opted out' },
    ],
    [
      'any other refusal',
      aldeamo.refused('Ruta no disponible'),
      { outcome: 'not_sent', reason: 'Ruta no disponible', no_outage: true },
    ],
    ['no words at all', aldeamo.refused(''), { outcome: 'not_sent', reason: 'refused', no_outage: true }],
    [
      'the whole request refused',
      aldeamo.error(-3, 'Saldo insuficiente'),
      { outcome: 'not_sent', reason: 'Saldo insuficiente' },
    ],
    // Perhaps about the account, so another provider may send it.
    [
      'the whole request blocked',
      aldeamo.error(-2, 'Bloqueado'),
      { outcome: 'not_sent', reason: 'Bloqueado' },
    ],
    [
      'the whole request refused without a word',
      aldeamo.error(-5, ''),
      { outcome: 'not_sent', reason: 'status_-5' },
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
      'a transaction id that is none',
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
          receivedRequests: [{ transactionId: 7, reason: 1 }],
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
      { outcome: 'rejected', reason: 'Número inválido' },
    ],
    [
      'the whole request refused, with a result that is none',
      aldeamo.http(200, { status: '-3', reason: null, result: 'error' }),
      { outcome: 'not_sent', reason: 'status_-3' },
    ],
    ['401', aldeamo.unauthorized, { outcome: 'not_sent', reason: 'credentials' }],
    ['403', aldeamo.forbidden, { outcome: 'not_sent', reason: 'credentials' }],
    ['429', aldeamo.throttled(), { outcome: 'not_sent', reason: 'throttled' }],
    [
      '429 with Retry-After',
      aldeamo.throttled('7'),
      { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 7000 },
    ],
    ['400', aldeamo.http(400), { outcome: 'not_sent', reason: 'http_400', no_outage: true }],
    [
      '400 with words',
      aldeamo.http(400, { status: -1, reason: 'Bad JSON' }),
      { outcome: 'not_sent', reason: 'Bad JSON', no_outage: true },
    ],
    ['404', aldeamo.http(404), { outcome: 'not_sent', reason: 'http_404' }],
    ['302', aldeamo.http(302, '', { location: '/' }), { outcome: 'not_sent', reason: 'http_302' }],
    [
      '307 with a reason',
      aldeamo.http(307, { reason: 'Moved' }, { location: '/' }),
      { outcome: 'not_sent', reason: 'http_307' },
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
    await expect(gateway.send(sms)).resolves.toEqual({ outcome: 'not_sent', reason: 'credentials' });
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

  test('has its reason by its charset', async () => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(bytes(refusedOne, 'application/json;charset="iso-8859-1"'));
    await expect(gateway.send(sms)).resolves.toEqual({ outcome: 'rejected', reason: 'Número inválido' });
  });

  test('and does not say so, is still a refusal of the number', async () => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(bytes(refusedOne));
    await expect(gateway.send(sms)).resolves.toEqual({
      outcome: 'rejected',
      reason: 'N\ufffdmero inv\ufffdlido',
    });
  });
});

describe('the reason is redacted', () => {
  test.each([
    ['Numero 3001234567 invalido', 'Numero …67 invalido'],
    ['Número +57 300 123-4567 no válido', 'Número +…67 no válido'],
    ['Numero 300/123/4567 invalido', 'Numero …67 invalido'],
    ['Número 300\u00a0123\u00a04567 no válido', 'Número …67 no válido'],
    ['Número 300\u200b123\u00004567 no válido', 'Número …67 no válido'],
    ['Número 300\ufffd123\ufffd4567 no válido', 'Número …67 no válido'],
    ['Número 3\u20600\u20600\u20601234567 no válido', 'Número …67 no válido'],
    ['Número 3\u31640\u31640\u31641234567 no válido', 'Número …67 no válido'],
    ...['–', '\u2011', '\u2212', '·', ':', '*', ',', '|', ' - ', ' · ', '+', '#', '’', '\u0301', '😀'].map(
      (separator) => [
        `Número ${['300', '123', '45', '67'].join(separator)} no válido`,
        'Número …67 no válido',
      ],
    ),
    [`Número ${[...'3001234567'].join(' | ')} no válido`, 'Número …67 no válido'],
    ['Número ３００１２３４５６７ no válido', 'Número …６７ no válido'],
    ['Número ٣٠٠١٢٣٤٥٦٧ no válido', 'Número …٦٧ no válido'],
    ['Número 𝟑𝟎𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕 no válido', 'Número …𝟔𝟕 no válido'],
    ['Número ③⓪⓪①②③④⑤⑥⑦ no válido', 'Número …⑥⑦ no válido'],
    ['Ruta 12345 sin saldo, código 67', 'Ruta 12345 sin saldo, código 67'],
    ['12-34-5 SMS y 6 más', '12-34-5 SMS y 6 más'],
    ['No enviado: "Pago recibido"', 'No enviado: "…"'],
    ['No enviado: «Pago reci…»', 'No enviado: «…»'],
    ['Contenido no permitido: PAGO RECIBIDO.', 'Contenido no permitido: ….'],
    ['Contenido no permitido: Págo recibidó.', 'Contenido no permitido: ….'],
    ['linea\r\n{level:60}', 'linea {level:60}'],
    ['x'.repeat(500), 'x'.repeat(200)],
    [`${'x'.repeat(199)}😀`, `${'x'.repeat(199)}\ufffd`],
  ])('%j is %j', async (text, reason) => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(aldeamo.refused(text));
    await expect(gateway.send(sms)).resolves.toMatchObject({ reason });
  });

  test.each([
    [
      'Su clave es 4711, no la comparta con nadie',
      'Texto no permitido: clave es 4711, no',
      'Texto no permitido:…',
    ],
    ['Su clave es 4711, no la comparta con nadie', '(su clave es 4711, no la comp) error', '(…) error'],
    ['Su clave:\r\n4711  xyz', 'No enviado: su clave:\r\n4711  xyz.', 'No enviado: ….'],
    ['Su clave es 4711, no la comparta', 'No: su cl\u200bave es 4711,\u0000no la comparta', 'No: …'],
    // A word that is in both is not a quote.
    ['Su numero ha cambiado', 'Numero invalido', 'Numero invalido'],
    ['Hola', 'No enviado: "Hola"', 'No enviado: "…"'],
    ['Hola', 'Holanda no permitida', 'Holanda no permitida'],
  ])('of %j, %j is %j', async (message, text, reason) => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(aldeamo.refused(text));
    await expect(gateway.send({ ...sms, message })).resolves.toMatchObject({ reason });
  });

  test('given an answer of any length, takes no time', async () => {
    const { upstream, gateway } = await startGateway();
    upstream.answerNext(aldeamo.refused('ab'.repeat(20_000)));
    const started = performance.now();
    await gateway.send({ ...sms, message: `${'ab'.repeat(799)}c` });
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('the check', () => {
  test.each([
    [200, { state: 'healthy' }],
    [302, { state: 'healthy' }],
    [404, { state: 'healthy' }],
    [401, { state: 'refused', reason: 'credentials' }],
    [403, { state: 'unknown', reason: 'check_forbidden' }],
    [500, { state: 'unhealthy', reason: 'http_500' }],
    [503, { state: 'unhealthy', reason: 'http_503' }],
  ])('given a host that answers %i, is %o', async (status, check) => {
    const { upstream, gateway } = await startGateway();
    upstream.front = (response) => response.writeHead(status).end();
    await expect(gateway.check()).resolves.toEqual(check);
    expect(upstream.violations).toEqual([]);
    expect(upstream.sends).toBe(0);
  });

  test('given a host that is silent or down, is unhealthy', async () => {
    const { upstream, gateway } = await startGateway({ timeoutMs: short });
    upstream.front = () => {};
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
