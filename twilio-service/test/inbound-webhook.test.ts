import { optOutSchema } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import { noteSecrets } from '../../test/leaks.ts';
import { ample, phone } from '../../test/provider-fixture.ts';
import { startApp, startLiveApp, startWithReceipts } from './fixture.ts';

const message_id = `SM${'ab'.repeat(16)}`;
const sms = (Body: string, more: Record<string, string> = {}) => ({ From: phone, Body, ...more });
const empty = { status: 200, type: 'text/xml', body: expect.stringMatching(/^<\?xml [^>]*\?><Response\/>$/) };

describe("a recipient's SMS", () => {
  const words = {
    stop: 'STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT BAJA PARAR CANCELAR SALIR DETENER ALTO',
    start: 'START YES UNSTOP ALTA INICIAR',
  };
  const rows = Object.entries(words).flatMap(([keyword, list]) =>
    list.split(' ').map((word) => [word, keyword] as const),
  );
  test.each<readonly [text: string, keyword: string]>([
    ...rows,
    ['  stop.\n', 'stop'],
    ['¡Bájá!', 'stop'],
    ['opt-out', 'stop'],
    ['"Parar" 🙏', 'stop'],
    ['ＳＴＯＰ', 'stop'],
    ['alta…', 'start'],
  ])('%j is forwarded as %s', async (text, keyword) => {
    const { upstream, received, receipts } = await startWithReceipts();
    await expect(upstream.sendInbound(sms(text))).resolves.toEqual(empty);
    expect(received).toMatchObject([{ method: 'POST', path: '/opt-outs' }]);
    expect(receipts()).toEqual([{ provider: 'Twilio', phone, keyword, message_id }]);
    expect(optOutSchema.safeParse(receipts()[0]).success).toBe(true);
  });

  test.each([
    '',
    'SI',
    'Sí',
    'NO',
    'HELP',
    'AYUDA',
    'STOP PLEASE',
    'no quiero parar',
    'PARARE',
    'S T O P',
    'Gracias',
    '🙏',
  ])('%j is answered, and not forwarded', async (text) => {
    const { upstream, received } = await startWithReceipts();
    await expect(upstream.sendInbound(sms(text))).resolves.toEqual(empty);
    expect(received).toEqual([]);
  });

  test.each([
    ['NO MAS', 'STOP', ['stop']],
    ['volver', 'START', ['start']],
    ['STOP', 'START', ['start']],
    ['STOP', 'HELP', []],
    ['STOP', 'something new', ['stop']],
  ])('%j with the OptOutType %s is what the messaging service says: %j', async (text, OptOutType, keywords) => {
    const { upstream, receipts } = await startWithReceipts();
    await expect(upstream.sendInbound(sms(text, { OptOutType }))).resolves.toEqual(empty);
    expect(receipts().map(({ keyword }) => keyword)).toEqual(keywords);
  });

  test.each([
    { From: 'whatsapp:+573001234567' },
    { From: '89000' },
    { From: '' },
    { MessageSid: '' },
  ])('with %j is no opt-out of a phone: it is logged, and not forwarded', async (form) => {
    const { upstream, received, lines } = await startWithReceipts();
    await expect(upstream.sendInbound(sms('STOP', form))).resolves.toEqual(empty);
    expect(received).toEqual([]);
    expect(lines.filter(({ level }) => level === 40)).toMatchObject([{ keyword: 'stop' }]);
  });

  test('leaves neither its phone nor its text in the log', async () => {
    noteSecrets({ message: 'Secreto de la cliente', phone: '+573009998877' });
    const { upstream, lines } = await startWithReceipts();
    for (const text of ['BAJA', 'Secreto de la cliente'])
      await upstream.sendInbound({ From: '+573009998877', Body: text });
    await upstream.sendInbound({ From: '+573009998877', Body: 'BAJA' }, { signature: 'x' });
    expect(JSON.stringify(lines)).not.toMatch(/573009998877|BAJA|Secreto/);
    expect(lines.map(({ msg }) => msg)).toContain('opt-out forwarded');
  });
});

describe("a recipient's SMS that is not from Twilio", () => {
  test.each([
    ['no signature', { signature: null }],
    ['a made up signature', { signature: 'vlRCTx6KWbPTxcEKqVVyqoKgBsc=' }],
    ['another phone', { altered: { From: '+573000000001' } }],
    ['another text', { altered: { Body: 'START' } }],
    ['another token', { authToken: 'another' }],
    ['another URL', { alterUrl: (url: string) => `${url}?a=b` }],
  ])('with %s: 403, and nothing is forwarded', async (_what, options) => {
    const { upstream, received } = await startWithReceipts();
    const answer = await upstream.sendInbound(sms('STOP'), options);
    expect([answer.status, answer.type]).toEqual([403, 'application/problem+json']);
    expect(received).toEqual([]);
  });

  test('and is JSON: 415', async () => {
    const { app } = await startWithReceipts();
    const response = await app.inject({ method: 'POST', url: '/webhooks/twilio/inbound', payload: {} });
    expect(response.statusCode).toBe(415);
  });
});

test('an inbound webhook behind a path of a proxy, with a query, is signed as Twilio calls it', async () => {
  const { upstream, receipts } = await startWithReceipts('https://proxy.example.com/twilio');
  upstream.inboundUrl += '?tenant=a%20b';
  const alterUrl = (url: string) => url.replace('/twilio/webhooks/', '/webhooks/');
  await expect(upstream.sendInbound(sms('STOP'), { alterUrl })).resolves.toEqual(empty);
  expect(receipts()).toHaveLength(1);
});

describe('payment-service', () => {
  test('that is down for a moment gets the opt-out again', async () => {
    const { upstream, received, answer } = await startWithReceipts();
    answer(503, 429);
    await expect(upstream.sendInbound(sms('STOP'))).resolves.toEqual(empty);
    expect(received).toHaveLength(3);
  });

  test.each([
    ['of a release without opt-outs', 404],
    ['that refuses the key of the service', 401],
  ])('%s, %i, gets no opt-out: 503, so that Twilio shows it', async (_what, status) => {
    const { upstream, answer, lines } = await startWithReceipts();
    answer(status);
    await expect(upstream.sendInbound(sms('STOP'))).resolves.toMatchObject({ status: 503 });
    expect(lines.filter(({ level }) => level === 50)).toHaveLength(1);
  });

  test('that refuses the opt-out does not get it again: one line of the log', async () => {
    const { upstream, received, answer, lines } = await startWithReceipts();
    answer(400);
    await expect(upstream.sendInbound(sms('STOP'))).resolves.toEqual(empty);
    expect(received).toHaveLength(1);
    expect(lines.filter(({ level }) => level === 50)).toMatchObject([{ forwarding: 'refused' }]);
  });

  test('that stays down: 503 as soon as the service stops', { timeout: ample }, async () => {
    const { app, upstream, payments } = await startWithReceipts();
    await payments[Symbol.asyncDispose]();
    const answering = upstream.sendInbound(sms('STOP'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await app.close();
    await expect(answering).resolves.toMatchObject({ status: 503 });
  });
});

test('the webhooks are in the OpenAPI document', async () => {
  const { app } = await startWithReceipts();
  const { paths } = (await app.inject('/openapi.json')).json();
  expect(paths['/webhooks/twilio/inbound'].post.responses['200'].content).toMatchObject({
    'text/xml': { schema: { type: 'string' } },
  });
  expect(Object.keys(paths)).toContain('/webhooks/twilio/status');
});

describe('there is no inbound webhook', () => {
  const request = {
    method: 'POST' as const,
    url: '/webhooks/twilio/inbound',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'Body=STOP',
  };

  test('in the sandbox', async () => {
    const { app } = await startApp({ PUBLIC_URL: 'https://sms.example.com' });
    expect((await app.inject(request)).statusCode).toBe(404);
  });

  test('without a public URL', async () => {
    const { app } = await startLiveApp();
    expect((await app.inject(request)).statusCode).toBe(404);
  });
});
