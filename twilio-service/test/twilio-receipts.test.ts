import type { ServerResponse } from 'node:http';
import type { ReceiptStatus } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import { replyJson } from '../../test/doubles/http-double.ts';
import { ample, short, sms } from '../../test/provider-fixture.ts';
import { receiptStatusOf, twilioErrors } from '../src/twilio-errors.ts';
import { startGateway, startLiveApp } from './fixture.ts';

const sid = `SM${'0123456789abcdef'.repeat(2)}`;

/** The gateway, and a message that it has sent. */
async function startWithMessage(options: Parameters<typeof startGateway>[0] = {}) {
  const started = await startGateway(options);
  const outcome = await started.gateway.send(sms);
  const sent = outcome.outcome === 'accepted' ? outcome.message_id : '';
  return { ...started, sent, find: () => started.gateway.find?.(sent) };
}

describe("Twilio's status and code", () => {
  const ofRecipient = [21211, 21266, 21610, 21614, 21635, 30004, 30005, 30006];
  const ofCarrier = [30003, 30008, 30017, 30410];
  const ofTwilio = [30001, 30002, 30036, 30037, 30500, 20003, 30022, 30034, 30454, 63038, 99999];
  const rows: [string, (number | undefined)[], ReceiptStatus | null][] = [
    ['failed', [...ofTwilio, undefined], 'not_sent'],
    ['undelivered', [...ofTwilio, undefined], 'undelivered'],
    ['failed', ofCarrier, 'undelivered'],
    ['undelivered', ofCarrier, 'undelivered'],
    ['failed', ofRecipient, 'refused'],
    ['undelivered', ofRecipient, 'refused'],
    ['failed', [30007], 'filtered'],
    ['undelivered', [30007], 'filtered'],
    ['canceled', [undefined, 30003], 'not_sent'],
    ['delivered', [undefined, 30003, 30005, 30007], 'delivered'],
    ['read', [undefined, 30003], 'delivered'],
    ...[
      'accepted',
      'scheduled',
      'queued',
      'sending',
      'sent',
      'receiving',
      'partially_delivered',
      '',
      'x',
    ].map((status): (typeof rows)[number] => [status, [undefined, 30003, 30005], null]),
  ];
  test.each(
    rows.flatMap(([status, codes, receipt]) => codes.map((code) => [status, code, receipt] as const)),
  )('%s %s is a receipt: %s', (status, code, receipt) => {
    expect(receiptStatusOf(status, code)).toBe(receipt);
  });

  test('name the recipient for each code that rejects a send', () => {
    const rejected = [...twilioErrors].filter(([, { outcome }]) => outcome === 'rejected');
    expect(rejected.map(([code]) => code)).toEqual(ofRecipient);
  });
});

describe('a question for a message', () => {
  test.each<[string, number | undefined, object]>([
    ['delivered', undefined, { status: 'delivered', reason: null }],
    ['undelivered', 30003, { status: 'undelivered', reason: 'twilio_30003' }],
    ['failed', 30036, { status: 'not_sent', reason: 'twilio_30036' }],
    ['failed', 30007, { status: 'filtered', reason: 'twilio_30007' }],
    ['failed', 21610, { status: 'refused', reason: 'twilio_21610' }],
    ['canceled', undefined, { status: 'not_sent', reason: 'twilio_canceled' }],
    ['sent', undefined, { status: null, reason: null }],
  ])('that is %s %s is answered with %j and the time of it', async (status, code, report) => {
    const { upstream, sent, find } = await startWithMessage();
    upstream.setStatus(sent, status, code);
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
    expect(await find()).toEqual({ found: 'report', ...report, at });
    expect(upstream.violations).toEqual([]);
  });

  test.each([
    ['2026-01-02T03:04:05.000Z', 'Fri, 02 Jan 2026 03:04:05 +0000'],
    ['2026-01-02T08:04:05.000Z', 'Fri, 02 Jan 2026 03:04:05 -0500'],
    [undefined, null],
    [undefined, 'soon'],
    [undefined, ''],
    [undefined, 5],
  ])('has the time %s for the date_updated %j', async (at, date_updated) => {
    const { upstream, sent, find } = await startWithMessage();
    upstream.message = (response) =>
      replyJson(response, 200, { sid: sent, status: 'delivered', date_updated });
    expect(await find()).toEqual({ found: 'report', status: 'delivered', reason: null, ...(at && { at }) });
  });

  test('of an account at fault is an alert', async () => {
    const { upstream, sent, find, alerts } = await startWithMessage();
    upstream.setStatus(sent, 'failed', 30002);
    expect(await find()).toMatchObject({ status: 'not_sent' });
    expect(alerts().filter(({ level }) => level === 50)).toMatchObject([
      { fault: 'account', reason: 'twilio_30002' },
    ]);
  });

  test.each([
    '',
    'sms-1',
    'twilio-5c7b9d2e-0000-4000-8000-000000000000',
    sid.slice(1),
    `${sid}0`,
    `PN${sid.slice(2)}`,
    `${sid.slice(0, -4)}/../`,
    `${sid}?x=`,
  ])('whose id %j is no sid is not asked', async (id) => {
    const { gateway, upstream } = await startGateway();
    upstream.message = () => expect.unreachable();
    expect(await gateway.find?.(id)).toEqual({ found: 'unknown_message' });
    expect(upstream.violations).toEqual([]);
  });

  test('that Twilio does not have is unknown', async () => {
    const { gateway, upstream } = await startGateway();
    expect(await gateway.find?.(sid)).toEqual({ found: 'unknown_message' });
    expect(upstream.violations).toEqual([]);
  });

  test('with an API key that may only create messages is forbidden', async () => {
    const { upstream, find } = await startWithMessage();
    upstream.restrictedKeys.add(upstream.accountSid);
    expect(await find()).toEqual({ found: 'forbidden', reason: 'twilio_70051' });
  });

  test('with a token that is no longer right is forbidden, and says nothing of the account', async () => {
    const { upstream, find, account } = await startWithMessage();
    upstream.authToken = 'another';
    expect(await find()).toEqual({ found: 'forbidden', reason: 'twilio_20003' });
    expect(account.report()).toMatchObject({ state: 'ok' });
  });

  type Reply = (response: ServerResponse) => unknown;
  const json =
    (status: number, body: unknown = ''): Reply =>
    (response) =>
      replyJson(response, status, body);
  test.each<[what: string, reply: Reply, reason: string]>([
    ['a 404 that is not of Twilio', json(404, '<html>'), 'http_404'],
    ['a 503', json(503), 'http_503'],
    ['a redirect', json(302), 'http_302'],
    ['a 429', json(429, { code: 20429 }), 'twilio_20429'],
    ['no JSON', json(200, '{"sid": "SM'), 'unreadable_answer'],
    ['another message', json(200, { sid, status: 'delivered' }), 'unreadable_answer'],
    ['no status', json(200, { sid }), 'unreadable_answer'],
    ['a list', json(200, { messages: [] }), 'unreadable_answer'],
    ['a lost connection', (response) => response.socket?.resetAndDestroy(), 'connection_lost'],
    ['an answer of 2 MB', json(200, 'x'.repeat(2 ** 21)), 'answer_too_long'],
  ])('that is answered with %s has no answer: %s', async (_what, reply, reason) => {
    const { upstream, find } = await startWithMessage();
    upstream.message = reply;
    expect(await find()).toEqual({ found: 'unanswered', reason });
  });

  test('that is not answered has no answer when the deadline has passed', async () => {
    const { upstream, gateway } = await startGateway({ timeoutMs: short });
    upstream.message = () => {};
    expect(await gateway.find?.(sid)).toEqual({ found: 'unanswered', reason: 'deadline_passed' });
  });

  test('given no listener, has no answer', async () => {
    const { upstream, find } = await startWithMessage();
    await upstream[Symbol.asyncDispose]();
    expect(await find()).toMatchObject({ found: 'unanswered' });
  });
});

describe('GET /messages/{message_id}', () => {
  async function startWithSent(env: Record<string, string> = {}) {
    const started = await startLiveApp(env);
    const { upstream, app } = started;
    const payload = { message: 'Pago recibido', customer_id: '1', phone: sms.phone };
    await app.inject({ method: 'POST', url: '/notify', payload });
    const sent = upstream.ledger[0]?.sid ?? '';
    return { ...started, sent, get: (id = sent) => app.inject(`/messages/${id}`) };
  }

  test('given a message, is what became of it', async () => {
    const { upstream, sent, get } = await startWithSent();
    upstream.setStatus(sent, 'undelivered', 30003);
    const response = await get();
    expect([response.statusCode, response.json()]).toEqual([
      200,
      {
        provider: 'Twilio',
        message_id: sent,
        status: 'undelivered',
        reason: 'twilio_30003',
        at: expect.any(String),
      },
    ]);
  });

  test('given a key that may not read, is a 403; given an unknown message, a 404', async () => {
    const { upstream, get } = await startWithSent();
    expect((await get(sid)).json()).toMatchObject({ status: 404, type: '/problems/message-not-found' });
    upstream.restrictedKeys.add(upstream.accountSid);
    expect((await get()).json()).toMatchObject({
      status: 403,
      type: '/problems/messages-forbidden',
      reason: 'twilio_70051',
    });
  });

  test('given an answer that is broken, is a 502; given none, a 504', { timeout: ample }, async () => {
    const { upstream, get } = await startWithSent({ GATEWAY_TIMEOUT_MS: '1000' });
    upstream.message = (response) => response.socket?.resetAndDestroy();
    expect((await get()).json()).toMatchObject({ status: 502, reason: 'connection_lost' });
    upstream.message = () => {};
    expect((await get()).json()).toMatchObject({ status: 504, reason: 'deadline_passed' });
  });

  test('given the answer of Twilio, which has the phone and the text, replies with neither', async () => {
    const { upstream, sent, get } = await startWithSent();
    upstream.setStatus(sent, 'failed', 30005);
    const { body } = await get();
    expect(body).not.toMatch(/573001234567|Pago/);
  });

  test.each([
    [{}, ['pull']],
    [{ PUBLIC_URL: 'https://sms.example.com' }, ['push', 'pull']],
  ])('given %j, is one of the ways of the receipts: %j', async (env, receipts) => {
    const { app } = await startLiveApp(env);
    const payload = { message: 'Pago recibido', customer_id: '1', phone: sms.phone };
    const response = await app.inject({ method: 'POST', url: '/notify', payload });
    expect(response.json()).toMatchObject({ receipts });
  });
});
