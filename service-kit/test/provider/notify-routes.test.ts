import type { InjectOptions } from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import {
  notifyReplySchema,
  type Outcome,
  type ReceiptWay,
  unknownKeySchema,
} from '../../src/contract/notification.ts';
import { problemContentType, problemSchema } from '../../src/http/problem.ts';
import { accepted, body, buildFakeApp, buildSandboxApp, notify } from './fixture.ts';

describe('POST /notify over the sandbox', () => {
  test('given success, replies with the message id of the ledger', async () => {
    const { app, sandbox } = await buildSandboxApp();
    const response = await app.inject(notify(body, 'key-1'));
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(notifyReplySchema.parse(response.json())).toEqual(response.json());
    expect(response.json()).toMatchObject({
      provider: 'Aldeamo',
      status: 'sent',
      message_id: sandbox.messages[0]?.message_id,
    });
    expect(sandbox.messages).toMatchObject([{ customer_id: '123', idempotency_key: 'key-1' }]);
  });

  test('given failure rate 1, replies with not_sent', async () => {
    const { app, sandbox } = await buildSandboxApp({ failure_rate: 1 });
    const response = await app.inject(notify(body));
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ outcome: 'not_sent', reason: 'sandbox_failure' });
    expect(sandbox.messages).toEqual([]);
  });
});

describe('live_only', () => {
  test('given to a sandbox, is refused as no outage, with the mode, and the ledger stays empty', async () => {
    const { app, sandbox } = await buildSandboxApp({ failure_rate: 1 });
    const response = await app.inject(notify({ ...body, live_only: true }, 'key-1'));
    expect(response.statusCode).toBe(503);
    const refusal = {
      outcome: 'not_sent',
      reason: 'sandbox_beside_live',
      no_outage: true,
      mode: 'sandbox',
    };
    expect(response.json()).toMatchObject(refusal);
    const asked = { method: 'DELETE', url: '/notify', headers: { 'idempotency-key': 'key-1' } } as const;
    expect((await app.inject(asked)).json()).toMatchObject(refusal);
    expect(sandbox.messages).toEqual([]);
  });

  test.each([
    [false],
    [undefined],
  ])('as %s is sent by a sandbox, which reports its mode', async (live_only) => {
    const { app, sandbox } = await buildSandboxApp();
    const response = await app.inject(notify({ ...body, live_only }));
    expect(response.json()).toMatchObject({ status: 'sent', mode: 'sandbox' });
    expect(sandbox.messages).toHaveLength(1);
  });

  test('given to a live gateway, is sent', async () => {
    const { app } = await buildFakeApp();
    const response = await app.inject(notify({ ...body, live_only: true }));
    expect(response.json()).toMatchObject({ status: 'sent', mode: 'live' });
  });

  test('that comes with a known key, and did not before, gets the first answer', async () => {
    const { app, sandbox } = await buildSandboxApp();
    const first = await app.inject(notify(body, 'key-1'));
    const again = await app.inject(notify({ ...body, live_only: true, ttl_seconds: 60 }, 'key-1'));
    expect([again.statusCode, again.body]).toEqual([200, first.body]);
    expect(sandbox.messages).toHaveLength(1);
  });
});

test('the gateway gets the whole request, and the key', async () => {
  const { app, gateway } = await buildFakeApp();
  await app.inject(notify({ ...body, phone: '+573001234567', ttl_seconds: 86_400 }, 'key-1'));
  await app.inject(notify(body));
  expect(gateway.send.mock.calls).toEqual([
    [{ ...body, phone: '+573001234567', ttl_seconds: 86_400, idempotency_key: 'key-1' }],
    [{ ...body, idempotency_key: null }],
  ]);
});

describe('an invalid request is a problem that names the field, and is not sent', () => {
  test.each<[string, unknown, string[]]>([
    ['no fields', {}, ['message', 'customer_id']],
    ['an array', [], ['body']],
    ['an empty message', { ...body, message: '' }, ['message']],
    ['a blank message', { ...body, message: ' \n' }, ['message']],
    ['a message of 1601 characters', { ...body, message: 'x'.repeat(1601) }, ['message']],
    ['a control character', { ...body, message: 'a\u0007' }, ['message']],
    ['half a surrogate pair', { ...body, message: 'a\ud83d' }, ['message']],
    ['an empty customer', { ...body, customer_id: '' }, ['customer_id']],
    ['a customer of 256 characters', { ...body, customer_id: 'x'.repeat(256) }, ['customer_id']],
    ['a customer who is a number', { ...body, customer_id: 123 }, ['customer_id']],
    ['a customer with an invisible character', { ...body, customer_id: '12\u200b3' }, ['customer_id']],
    ['a phone without a country', { ...body, phone: '3001234567' }, ['phone']],
    ['a phone that is null', { ...body, phone: null }, ['phone']],
    ['no time to deliver it', { ...body, ttl_seconds: 0 }, ['ttl_seconds']],
    ['part of a second to deliver it', { ...body, ttl_seconds: 1.5 }, ['ttl_seconds']],
    ['a time to deliver it that is text', { ...body, ttl_seconds: '60' }, ['ttl_seconds']],
    ['an unknown field', { ...body, color: 'red' }, ['color']],
    ['__proto__', JSON.parse('{"message":"a","customer_id":"1","__proto__":{}}'), ['__proto__']],
  ])('%s', async (_name, payload, paths) => {
    const { app, gateway } = await buildFakeApp();
    const response = await app.inject(notify(payload));
    expect(response.statusCode).toBe(400);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect([...new Set(problemSchema.parse(response.json()).errors?.map(({ path }) => path))]).toEqual(paths);
    expect(gateway.send).not.toHaveBeenCalled();
  });

  test.each([['""'], ['x'.repeat(256)], ['clave-ñ']])('Idempotency-Key %j', async (key) => {
    const { app, gateway } = await buildFakeApp();
    const response = await app.inject(notify(body, key));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ path: 'idempotency-key' }]);
    expect(gateway.send).not.toHaveBeenCalled();
  });
});

test('the longest message, customer and key, with line breaks and emoji, are valid', async () => {
  const { app, gateway } = await buildFakeApp();
  const longest = { message: `ñ😀\n${'x'.repeat(1596)}`, customer_id: 'x'.repeat(255) };
  expect((await app.inject(notify(longest, 'k'.repeat(255)))).statusCode).toBe(200);
  expect(gateway.send).toHaveBeenCalledWith({ ...longest, idempotency_key: 'k'.repeat(255) });
});

describe('each outcome has a status, and its reason as a member', () => {
  test.each<[Outcome, number, { retryAfter?: string }]>([
    [{ outcome: 'rejected', reason: 'opted_out' }, 422, {}],
    [{ outcome: 'not_sent', reason: 'unauthorized' }, 503, {}],
    [{ outcome: 'not_sent', reason: 'no_phone', no_outage: true }, 503, {}],
    [{ outcome: 'not_sent', reason: 'throttled', retry_after_ms: 2000 }, 429, { retryAfter: '2' }],
    // Rounded up, because a retry a second too early would be refused.
    [{ outcome: 'not_sent', reason: 'throttled', retry_after_ms: 1001 }, 429, { retryAfter: '2' }],
    [{ outcome: 'not_sent', reason: 'throttled', retry_after_ms: 0 }, 429, { retryAfter: '0' }],
    [{ outcome: 'not_sent', reason: 'busy', retry_after_ms: 1, no_outage: true }, 429, { retryAfter: '1' }],
    [{ outcome: 'unknown', reason: 'connection_lost' }, 502, {}],
    [{ outcome: 'unknown', reason: 'gateway_timeout' }, 504, {}],
  ])('%j: %i', async (outcome, status, { retryAfter }) => {
    const { app } = await buildFakeApp({ send: async () => outcome });
    const response = await app.inject(notify(body));
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.headers['retry-after']).toBe(retryAfter);
    const { type: _type, title: _title, detail: _detail, ...members } = problemSchema.parse(response.json());
    // retry_after_ms is the header; all other members are the outcome's and the mode.
    const { retry_after_ms: _ms, ...others } = { retry_after_ms: undefined, ...outcome };
    expect(members).toEqual({ status, outcome_of: 'notification', ...others, mode: 'live' });
  });
});

describe('a provider that does not answer in time', () => {
  test('is a 504 with an unknown outcome; a later request with the same key gets the outcome of the send', async () => {
    const late = Promise.withResolvers<Outcome>();
    const { app, gateway } = await buildFakeApp({ send: () => late.promise }, { gatewayTimeoutMs: 10 });
    const first = await app.inject(notify(body, 'key-1'));
    expect(first.statusCode).toBe(504);
    expect(first.json()).toMatchObject({ outcome: 'unknown', reason: 'gateway_timeout', mode: 'live' });
    late.resolve(accepted);
    const second = await app.inject(notify(body, 'key-1'));
    expect(second.statusCode).toBe(200);
    expect(second.json()).toEqual({
      provider: 'Aldeamo',
      status: 'sent',
      message_id: 'sms-1',
      mode: 'live',
      receipts: [],
    });
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });
});

describe('the same Idempotency-Key', () => {
  const numbered = () => {
    let sends = 0;
    return { send: async (): Promise<Outcome> => ({ outcome: 'accepted', message_id: `sms-${++sends}` }) };
  };

  test('is answered with the first answer, whether it is quoted or not', async () => {
    const { app, gateway } = await buildFakeApp(numbered());
    const first = await app.inject(notify(body, 'key-1'));
    for (const key of ['key-1', '"key-1"']) {
      const again = await app.inject(notify(body, key));
      expect([again.statusCode, again.body]).toEqual([200, first.body]);
    }
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('joins the request that is still running: 20 at a time are one send', async () => {
    const running = Promise.withResolvers<Outcome>();
    const { app, gateway } = await buildFakeApp({ send: () => running.promise });
    const allThere = Promise.withResolvers<void>();
    let there = 0;
    app.addHook('preHandler', async () => {
      if (++there === 20) allThere.resolve();
    });
    const responses = Promise.all(Array.from({ length: 20 }, () => app.inject(notify(body, 'key-1'))));
    await allThere.promise;
    running.resolve(accepted);
    expect(new Set((await responses).map((response) => response.body)).size).toBe(1);
    expect((await responses).every(({ statusCode }) => statusCode === 200)).toBe(true);
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('with another body is a 422 without an outcome, and is not sent', async () => {
    const { app, gateway } = await buildFakeApp(numbered());
    await app.inject(notify(body, 'key-1'));
    const response = await app.inject(notify({ ...body, message: 'Otro' }, 'key-1'));
    expect(response.statusCode).toBe(422);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.json().type).toBe('/problems/idempotency-key-reused');
    expect(response.json()).not.toHaveProperty('outcome');
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('is optional: without it each request is a send', async () => {
    const { app } = await buildFakeApp(numbered());
    const ids = [await app.inject(notify(body)), await app.inject(notify(body))].map(
      (response) => response.json().message_id,
    );
    expect(ids).toEqual(['sms-1', 'sms-2']);
  });
});

describe('DELETE /notify returns the outcome of a key, and sends nothing', () => {
  const cancel = (key?: string): InjectOptions => ({
    method: 'DELETE',
    url: '/notify',
    headers: key === undefined ? {} : { 'idempotency-key': key },
  });

  test.each<[Outcome, number]>([
    [accepted, 200],
    [{ outcome: 'rejected', reason: 'opted_out' }, 422],
    [{ outcome: 'not_sent', reason: 'unauthorized' }, 503],
    [{ outcome: 'not_sent', reason: 'throttled', retry_after_ms: 2000 }, 429],
    [{ outcome: 'unknown', reason: 'connection_lost' }, 502],
  ])('%j: %i, byte for byte the answer to the send', async (outcome, status) => {
    const { app, gateway } = await buildFakeApp({ send: async () => outcome });
    const first = await app.inject(notify(body, 'key-1'));
    for (const key of ['key-1', '"key-1"']) {
      const found = await app.inject(cancel(key));
      expect([found.statusCode, found.body]).toEqual([status, first.body]);
      expect(found.headers['retry-after']).toBe(first.headers['retry-after']);
    }
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('given a send that still runs, waits for it', async () => {
    const begun = Promise.withResolvers<void>();
    const running = Promise.withResolvers<Outcome>();
    const { app, gateway } = await buildFakeApp({
      send() {
        begun.resolve();
        return running.promise;
      },
    });
    const begin = async (request: InjectOptions) => await app.inject(request); // inject() itself waits to be awaited
    const first = begin(notify(body, 'key-1'));
    await begun.promise;
    const found = begin(cancel('key-1'));
    const early = vi.fn();
    void found.then(early);
    await app.inject('/health'); // which comes after both
    expect(early).not.toHaveBeenCalled();
    running.resolve(accepted);
    expect((await found).statusCode).toBe(200);
    expect((await found).body).toBe((await first).body);
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('of a key that was sent replies, as the request does, with how receipts arrive at the time of the reply, not of the send', async () => {
    const receipts: ReceiptWay[] = ['push', 'pull'];
    const { app } = await buildFakeApp({ receipts });
    const first = await app.inject(notify(body, 'key-1'));
    receipts.shift();
    const again = await app.inject(notify(body, 'key-1'));
    const cancelled = await app.inject(cancel('key-1'));
    const replies = [first, again, cancelled].map((response) => response.json().receipts);
    expect(replies).toEqual([['push', 'pull'], ['pull'], ['pull']]);
  });

  test('given a send that takes too long, is a 504, and later its outcome', async () => {
    const late = Promise.withResolvers<Outcome>();
    const { app, gateway } = await buildFakeApp({ send: () => late.promise }, { gatewayTimeoutMs: 10 });
    await app.inject(notify(body, 'key-1'));
    const found = await app.inject(cancel('key-1'));
    expect([found.statusCode, found.json()]).toMatchObject([
      504,
      { outcome: 'unknown', reason: 'gateway_timeout' },
    ]);
    late.resolve(accepted);
    expect((await app.inject(cancel('key-1'))).json()).toMatchObject({ message_id: 'sms-1' });
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('given an unknown key, is a 404 with the time for which all keys are known, and no outcome', async () => {
    const before = Date.now();
    const { app, gateway } = await buildFakeApp();
    const after = Date.now();
    await app.inject(notify(body, 'key-1'));
    const asked = Date.now();
    const response = await app.inject(cancel('key-2'));
    expect(response.statusCode).toBe(404);
    expect(response.headers['content-type']).toBe(problemContentType);
    const problem = problemSchema.parse(response.json());
    expect(problem).not.toHaveProperty('outcome');
    const { complete_for_ms } = unknownKeySchema.parse(problem);
    expect(complete_for_ms).toBeGreaterThanOrEqual(asked - after);
    expect(complete_for_ms).toBeLessThanOrEqual(Date.now() - before);
    expect(gateway.send).toHaveBeenCalledTimes(1);
  });

  test('a send that comes after its key was cancelled is not sent', async () => {
    const { app, gateway } = await buildFakeApp();
    expect((await app.inject(cancel('key-1'))).statusCode).toBe(404);
    const late = await app.inject(notify(body, 'key-1'));
    expect(late.statusCode).toBe(503);
    expect(late.json()).toMatchObject({ outcome: 'not_sent', reason: 'withdrawn', no_outage: true });
    expect((await app.inject(cancel('key-1'))).statusCode).toBe(404);
    expect(gateway.send).not.toHaveBeenCalled();
  });

  test('does not count as a request for an SMS', async () => {
    const { app, lines } = await buildSandboxApp();
    await app.inject(cancel('key-1'));
    expect((await app.inject('/health')).json().requests).toBe(0);
    expect(lines).toEqual([]);
  });

  test.each([[undefined], ['""'], ['x'.repeat(256)]])('given the key %j, is a 400', async (key) => {
    const { app } = await buildFakeApp();
    const response = await app.inject(cancel(key));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ path: 'idempotency-key' }]);
  });
});
