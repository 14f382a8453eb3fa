import { createHmac } from 'node:crypto';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { TwilioMessage } from '../../test/doubles/twilio-request.ts';
import { ample, phone } from '../../test/provider-fixture.ts';
import { startApp, startLiveApp, startWithReceipts } from './fixture.ts';

const receipt = {
  provider: 'Twilio',
  idempotency_key: 'pmt_1-1',
  status: 'delivered',
  reason: null,
};

describe('a status callback', () => {
  test.each([
    ['delivered', undefined, { status: 'delivered', reason: null }],
    ['delivered', 30005, { status: 'delivered', reason: null }],
    ['read', undefined, { status: 'delivered', reason: null }],
    ['undelivered', 30003, { status: 'undelivered', reason: 'twilio_30003' }],
    ['undelivered', undefined, { status: 'undelivered', reason: 'twilio_undelivered' }],
    ['undelivered', 10 ** 12, { status: 'undelivered', reason: 'twilio_undelivered' }],
    ['undelivered', 30005, { status: 'refused', reason: 'twilio_30005' }],
    ['failed', 21610, { status: 'refused', reason: 'twilio_21610' }],
    ['failed', 21266, { status: 'refused', reason: 'twilio_21266' }],
    ['undelivered', 30007, { status: 'filtered', reason: 'twilio_30007' }],
    ['failed', 20003, { status: 'not_sent', reason: 'twilio_20003' }],
    ['failed', undefined, { status: 'not_sent', reason: 'twilio_failed' }],
    ['failed', 30036, { status: 'not_sent', reason: 'twilio_30036' }],
    ['failed', -1, { status: 'not_sent', reason: 'twilio_failed' }],
    ['canceled', undefined, { status: 'not_sent', reason: 'twilio_canceled' }],
    ['failed', 30008, { status: 'undelivered', reason: 'twilio_30008' }],
  ])('%s %s is forwarded to payment-service', async (status, code, forwarded) => {
    const { upstream, received, receipts, send } = await startWithReceipts();
    const sid = await send();
    await expect(upstream.sendStatus(sid, status, code)).resolves.toBe(204);
    expect(received).toMatchObject([
      { method: 'POST', path: '/receipts', headers: { 'content-type': 'application/json' } },
    ]);
    expect(receipts()).toEqual([{ ...receipt, message_id: sid, ...forwarded }]);
    expect(upstream.violations).toEqual([]);
  });

  test.each([
    'queued',
    'accepted',
    'scheduled',
    'sending',
    'sent',
    'something new',
    '',
  ])('%j is answered, and not forwarded', async (status) => {
    const { upstream, received, send } = await startWithReceipts();
    await expect(upstream.sendStatus(await send(), status)).resolves.toBe(204);
    expect(received).toEqual([]);
  });

  test.each([
    'https://sms.example.com:8443',
    'https://sms.example.com/',
    'https://proxy.example.com/twilio',
    'http://[::1]:8002',
    'https://SMS.Example.com:443/Twilio/../twilio/',
    'https://pagos-ñ.example.com/twilio//',
  ])('is signed for %s, including its query', async (publicUrl) => {
    const { upstream, receipts, send } = await startWithReceipts(publicUrl);
    const sid = await send('a&b=c d/1#?%');
    // A proxy that removes its own path.
    const alterUrl = (url: string) => url.replace('/twilio/webhooks/', '/webhooks/');
    await expect(upstream.sendStatus(sid, 'delivered', undefined, { alterUrl })).resolves.toBe(204);
    expect(receipts()).toMatchObject([{ message_id: sid, idempotency_key: 'a&b=c d/1#?%' }]);
  });

  test('has the id that the answer to the send had, however odd the sid is', async () => {
    const { upstream, receipts, send } = await startWithReceipts();
    const sid = `SM\u0000\u202e${'x'.repeat(400)}`;
    upstream.answerNext(({ message, accept, reply }) => {
      message.sid = sid;
      accept();
      reply(201, { sid });
    });
    const message_id = await send();
    expect(message_id).toBe(`SM\ufffd\ufffd${'x'.repeat(251)}`);
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(204);
    expect(receipts()).toEqual([{ ...receipt, message_id }]);
  });

  test('that comes twice is forwarded twice, because payment-service ignores the second', async () => {
    const { upstream, receipts, send } = await startWithReceipts();
    const sid = await send();
    await upstream.sendStatus(sid, 'delivered');
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(204);
    expect(receipts()).toEqual([
      { ...receipt, message_id: sid },
      { ...receipt, message_id: sid },
    ]);
  });
});

describe('a status callback from Twilio without', () => {
  test.each<[string, Partial<TwilioMessage>]>([
    ['a key of an attempt', { statusCallback: 'https://sms.example.com/webhooks/twilio/status' }],
    ['a message', { sid: '' }],
  ])('%s is refused if it is a receipt, and logged once', async (_what, changes) => {
    const { upstream, received, lines, send } = await startWithReceipts();
    await send();
    const { sid } = Object.assign(upstream.ledger[0] as TwilioMessage, changes);
    await expect(upstream.sendStatus(sid, 'sent')).resolves.toBe(204);
    await expect(upstream.sendStatus(sid, 'undelivered', 30003)).resolves.toBe(400);
    expect(received).toEqual([]);
    expect(lines.filter(({ level }) => level >= 40)).toMatchObject([{ level: 40, status: 'undelivered' }]);
  });
});

describe('the fault that a status callback names', () => {
  const account = [30002, 30037, 20003, 20005, 20404, 10001];
  const sender = [30018, 30024, 30032, 30034, 30040, 30041, 30042, 30043, 21606];
  const cap = [63038, 30454, 30022, 30023, 30027];
  const rows = Object.entries({ account, sender, cap, permission: [21408] }).flatMap(([fault, codes]) =>
    codes.map((code) => [code, fault] as const),
  );
  test.each(rows)('%i is an alert: %s', async (code, fault) => {
    const { upstream, alerts, send, app } = await startWithReceipts();
    const sid = await send();
    for (const status of ['failed', 'undelivered', 'failed'])
      await expect(upstream.sendStatus(sid, status, code)).resolves.toBe(204);
    expect(alerts().filter(({ level }) => level === 50)).toMatchObject([
      { provider: 'Twilio', fault, reason: `twilio_${code}` },
    ]);
    // It comes late, so that it says nothing about the present.
    expect((await app.inject('/health')).json()).toMatchObject({ account: { state: 'ok' } });
  });

  test.each([
    ['undelivered', 30003],
    ['failed', 30007],
    ['undelivered', 30008],
    ['failed', 30001],
    ['failed', 30036],
    ['failed', 30500],
    ['failed', 21610],
    ['failed', undefined],
    ['canceled', undefined],
    ['delivered', 30002],
    ['sent', 30002],
  ])('%s %s is no alert', async (status, code) => {
    const { upstream, alerts, send } = await startWithReceipts();
    await expect(upstream.sendStatus(await send(), status, code)).resolves.toBe(204);
    expect(alerts().filter(({ level }) => level === 50)).toEqual([]);
  });

  test('is no alert if the callback is not from Twilio', async () => {
    const { upstream, alerts, send } = await startWithReceipts();
    const sid = await send();
    await expect(upstream.sendStatus(sid, 'failed', 30002, { signature: 'x' })).resolves.toBe(403);
    expect(alerts().filter(({ level }) => level === 50)).toEqual([]);
  });
});

describe('while the auth token is rotated', () => {
  const old = '0123456789abcdef'.repeat(2);
  const fresh = '89abcdef01234567'.repeat(2);
  const key = `SK${old}`;
  test.each([
    ['the old token is the secondary one', fresh, old],
    ['the new token is the secondary one', old, fresh],
  ])('and %s, callbacks signed with either are accepted', async (_when, current, secondary) => {
    const { upstream, receipts, send } = await startWithReceipts('https://sms.example.com', {
      TWILIO_AUTH_TOKEN: current,
      TWILIO_AUTH_TOKEN_SECONDARY: secondary,
      // The calls are made with an API key.
      TWILIO_API_KEY_SID: key,
      TWILIO_API_KEY_SECRET: 'secret',
    });
    upstream.apiKeys.set(key, 'secret');
    const sid = await send();
    for (const authToken of [current, secondary])
      await expect(upstream.sendStatus(sid, 'delivered', undefined, { authToken })).resolves.toBe(204);
    for (const authToken of ['another', `${current}${secondary}`, ''])
      await expect(upstream.sendStatus(sid, 'delivered', undefined, { authToken })).resolves.toBe(403);
    expect(receipts()).toHaveLength(2);
  });
});

describe('a status callback with bytes that are no UTF-8', () => {
  /** Signed as Twilio does, over the bytes that are sent. */
  async function post(
    form: Record<string, string>,
    encode: (value: string) => string,
    type = '',
    query = '',
  ) {
    const { app, upstream, receipts } = await startWithReceipts();
    const url = `/webhooks/twilio/status?key=pmt_1-1${query}`;
    const hmac = createHmac('sha1', upstream.authToken).update(`https://sms.example.com${url}`);
    for (const name of Object.keys(form).toSorted()) hmac.update(`${name}${form[name]}`, 'latin1');
    const pairs = Object.entries(form).map(([name, value]) => `${name}=${encode(value)}`);
    const { statusCode } = await app.inject({
      method: 'POST',
      url,
      headers: {
        'content-type': `application/x-www-form-urlencoded${type}`,
        'x-twilio-signature': hmac.digest('base64'),
      },
      payload: Buffer.from(pairs.join('&'), 'latin1'),
    });
    return { statusCode, receipts: receipts() };
  }
  const form = { MessageSid: 'SM1', MessageStatus: 'delivered', Note: 'se\xf1or %41 & +' };
  const forwarded = { statusCode: 204, receipts: [{ ...receipt, message_id: 'SM1' }] };

  /** Escapes each byte of a text whose characters are bytes. */
  const escapeBytes = (value: string) =>
    value.replace(/\W/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  const escapeAsciiOnly = (value: string) => value.replace(/[^\w\x80-\xff]/g, escapeBytes);

  test.each([
    ['escaped', escapeBytes, ''],
    [
      'escaped in upper case',
      (value: string) => escapeBytes(value).replace(/%../g, (hex) => hex.toUpperCase()),
      '',
    ],
    ['as they are', escapeAsciiOnly, ''],
    ['as they are, in the charset that it says', escapeAsciiOnly, '; charset=iso-8859-1'],
  ])('%s, is forwarded', async (_how, encode, type) => {
    expect(await post(form, encode, type)).toEqual(forwarded);
  });

  test('in its query, is forwarded', async () => {
    expect(await post(form, escapeBytes, '', '&more=%FF&more=%zz')).toEqual(forwarded);
  });

  test('and other bytes than those that were signed: 403', async () => {
    const { statusCode, receipts } = await post(form, (value) => escapeBytes(value.replace('\xf1', '\xf2')));
    expect([statusCode, receipts]).toEqual([403, []]);
  });
});

describe('a callback that is not from Twilio', () => {
  test.each([
    ['no signature', { signature: null }],
    ['an empty signature', { signature: '' }],
    ['a made up signature', { signature: 'vlRCTx6KWbPTxcEKqVVyqoKgBsc=' }],
    ['an altered status', { altered: { MessageStatus: 'failed' } }],
    ['one parameter more', { altered: { ErrorCode: '30003' } }],
    ['another message', { altered: { MessageSid: 'SM2' } }],
  ])('with %s: 403, and nothing is forwarded', async (_what, options) => {
    const { upstream, received, lines, send } = await startWithReceipts();
    const sid = await send();
    await expect(upstream.sendStatus(sid, 'delivered', undefined, options)).resolves.toBe(403);
    expect(received).toEqual([]);
    const warnings = lines.filter(({ level }) => level === 40);
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).not.toMatch(/SM|pmt_|MessageStatus|\+57/);
  });

  test.each([
    (url: string) => url.replace('key=pmt_1-1', 'key=pmt_2-1'),
    (url: string) => `${url}&key=pmt_2-1`,
    (url: string) => url.replace('?key=pmt_1-1', ''),
  ])('to another URL, %s: 403', async (alterUrl) => {
    const { upstream, received, send } = await startWithReceipts();
    const sid = await send();
    await expect(upstream.sendStatus(sid, 'delivered', undefined, { alterUrl })).resolves.toBe(403);
    expect(received).toEqual([]);
  });

  test('with another token: 403', async () => {
    const { upstream, received, send } = await startWithReceipts();
    const sid = await send();
    upstream.authToken = 'another';
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(403);
    expect(received).toEqual([]);
  });

  test('is answered with a problem document', async () => {
    const { app } = await startWithReceipts();
    const response = await app.inject({
      method: 'POST',
      url: '/webhooks/twilio/status?key=a',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'MessageStatus=delivered',
    });
    expect(response.statusCode).toBe(403);
    expect(response.headers['content-type']).toBe('application/problem+json');
    expect(response.json()).toMatchObject({ type: '/problems/signature-invalid' });
  });

  test.each([
    ['application/json', '{}', 415],
    ['text/plain', 'a', 415],
    ['application/x-www-form-urlencoded', 'a='.repeat(40_000), 413],
  ])('of type %s, %.5s: %i', async (type, payload, status) => {
    const { app } = await startWithReceipts();
    const url = '/webhooks/twilio/status?key=a';
    const response = await app.inject({ method: 'POST', url, headers: { 'content-type': type }, payload });
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe('application/problem+json');
  });
});

test('other routes answer a form with 415', async () => {
  const { app } = await startWithReceipts();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const response = await app.inject({ method: 'POST', url: '/notify', headers, payload: 'message=a' });
  expect(response.statusCode).toBe(415);
});

describe('payment-service', () => {
  test.each([
    [409, 503, 500],
    [429],
    [502],
  ])('that answers %i gets the receipt again', async (...statuses) => {
    const { upstream, received, answer, send } = await startWithReceipts();
    const sid = await send();
    answer(...statuses);
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(204);
    expect(received.length).toBeGreaterThan(1);
  });

  test('that is down for a moment gets the receipt again', async () => {
    const { upstream, received, answer, send } = await startWithReceipts();
    const sid = await send();
    answer(503, 503, 503, 503);
    const started = performance.now();
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(204);
    expect(received).toHaveLength(5);
    expect(performance.now() - started).toBeGreaterThan(1400); // 100 + 200 + 400 + 800
  });

  test('that is down for longer gets the receipt by a callback that Twilio repeats', async () => {
    const { upstream, receipts, answer, send } = await startWithReceipts();
    const sid = await send();
    answer(401, 403); // an answer that is not asked for again, so that the test is quick
    await expect(upstream.sendStatus(sid, 'delivered', undefined, { repeats: true })).resolves.toBe(204);
    expect(receipts()).toHaveLength(3);
  });

  test('that does not know the attempt does not get the receipt again', async () => {
    const { upstream, received, lines, answer, send } = await startWithReceipts();
    const sid = await send();
    answer(404);
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(204);
    expect(received).toHaveLength(1);
    expect(lines.filter(({ level }) => level === 40)).toMatchObject([{ forwarding: 'unknown_attempt' }]);
  });

  test('that refuses the receipt does not get it again, neither from Twilio: one line of the log', async () => {
    const { upstream, received, lines, answer, send } = await startWithReceipts();
    const sid = await send();
    answer(400);
    await expect(upstream.sendStatus(sid, 'delivered', undefined, { repeats: true })).resolves.toBe(204);
    expect(received).toHaveLength(1);
    expect(lines.filter(({ level }) => level === 50)).toMatchObject([{ forwarding: 'refused' }]);
  });

  test.each([
    401, 403,
  ])('that refuses the key of the service, %i, gets the receipt once it is corrected: 503', async (status) => {
    const { upstream, received, answer, send } = await startWithReceipts();
    const sid = await send();
    answer(status);
    await expect(upstream.sendStatus(sid, 'delivered')).resolves.toBe(503);
    expect(received).toHaveLength(1);
  });

  test('that stays down: 503 before Twilio times out', async () => {
    const { upstream, payments, send } = await startWithReceipts();
    const sid = await send();
    await payments[Symbol.asyncDispose]();
    // setImmediate stays real: between two steps of the time the sockets do their work.
    vi.useFakeTimers({ fakeNodeBuiltins: true, toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const started = performance.now();
    let answered: number | undefined;
    const callback = upstream.sendStatus(sid, 'delivered').then((status) => {
      answered = performance.now();
      return status;
    });
    while (answered === undefined) {
      await vi.advanceTimersByTimeAsync(20);
      await new Promise(setImmediate);
    }
    expect(await callback).toBe(503);
    const took = answered - started;
    expect(took).toBeGreaterThan(7000);
    expect(took).toBeLessThan(14_000);
  });

  test('that stays down does not delay a stop', { timeout: ample }, async () => {
    const { app, upstream, payments, send } = await startWithReceipts();
    const sid = await send();
    await payments[Symbol.asyncDispose]();
    const callback = upstream.sendStatus(sid, 'delivered');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const started = performance.now();
    await app.close();
    await expect(callback).resolves.toBe(503);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('there is no webhook', () => {
  const callback = {
    method: 'POST' as const,
    url: '/webhooks/twilio/status?key=a',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'MessageStatus=delivered',
  };

  test('in the sandbox', async () => {
    const { app } = await startApp({ PUBLIC_URL: 'https://sms.example.com' });
    expect((await app.inject('/health')).json()).toMatchObject({ mode: 'sandbox' });
    expect((await app.inject(callback)).statusCode).toBe(404);
  });

  test('without a public URL', async () => {
    const { app, upstream } = await startLiveApp();
    expect((await app.inject(callback)).statusCode).toBe(404);
    await app.inject({
      method: 'POST',
      url: '/notify',
      headers: { 'idempotency-key': 'a' },
      payload: { message: 'a', customer_id: '1', phone },
    });
    expect(upstream.ledger).toMatchObject([{ statusCallback: null }]);
  });
});

test('no line of the log has a phone or a message', async () => {
  const { upstream, lines, answer, send } = await startWithReceipts();
  const sid = await send();
  await upstream.sendStatus(sid, 'delivered');
  await upstream.sendStatus(sid, 'failed', 30003, { signature: 'x' });
  answer(404);
  await upstream.sendStatus(sid, 'failed', 30003);
  answer(400);
  await upstream.sendStatus(sid, 'failed', 30003);
  expect(lines.length).toBeGreaterThanOrEqual(5);
  expect(JSON.stringify(lines)).not.toMatch(/3001234567|secreto|5005550006/);
});
