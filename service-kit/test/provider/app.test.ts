import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { notifyReplySchema, type Outcome, unknownKeySchema } from '../../src/contract/notification.ts';
import type { SandboxSettings } from '../../src/contract/sandbox-settings.ts';
import { problemContentType, problemSchema } from '../../src/http/problem.ts';
import { buildProviderApp, type ProviderAppOptions } from '../../src/provider/app.ts';
import type { Gateway, Send } from '../../src/provider/gateway.ts';
import { createSandbox } from '../../src/provider/sandbox/sandbox.ts';

const body = { message: 'Pago recibido', customer_id: '123' };
const accepted: Outcome = { outcome: 'accepted', message_id: 'sms-1' };

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

test('the gateway gets the whole request, and the key', async () => {
  const { app, gateway } = await buildFakeApp();
  await app.inject(notify({ ...body, phone: '+573001234567' }, 'key-1'));
  await app.inject(notify(body));
  expect(gateway.send.mock.calls).toEqual([
    [{ ...body, phone: '+573001234567', idempotency_key: 'key-1' }],
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
    // retry_after_ms is the header; all other members are the outcome's.
    const { retry_after_ms: _ms, ...others } = { retry_after_ms: undefined, ...outcome };
    expect(members).toEqual({ status, ...others });
  });
});

describe('a provider that does not answer in time', () => {
  test('is a 504 with an unknown outcome; a later request with the same key gets the outcome of the send', async () => {
    const late = Promise.withResolvers<Outcome>();
    const { app, gateway } = await buildFakeApp({ send: () => late.promise }, { gatewayTimeoutMs: 10 });
    const first = await app.inject(notify(body, 'key-1'));
    expect(first.statusCode).toBe(504);
    expect(first.json()).toMatchObject({ outcome: 'unknown', reason: 'gateway_timeout' });
    late.resolve(accepted);
    const second = await app.inject(notify(body, 'key-1'));
    expect(second.statusCode).toBe(200);
    expect(second.json()).toEqual({ provider: 'Aldeamo', status: 'sent', message_id: 'sms-1' });
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

  test('with another body is a 409 without an outcome, and is not sent', async () => {
    const { app, gateway } = await buildFakeApp(numbered());
    await app.inject(notify(body, 'key-1'));
    const response = await app.inject(notify({ ...body, message: 'Otro' }, 'key-1'));
    expect(response.statusCode).toBe(409);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.json().type).toBe('urn:problem:idempotency-key-reused');
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

test('GET / and GET /health name the provider, and count its requests', async () => {
  const { app } = await buildSandboxApp();
  expect((await app.inject('/')).json()).toEqual({ message: 'Servicio de Aldeamo', status: 'online' });
  const health = async () => (await app.inject('/health')).json();
  expect(await health()).toEqual({ status: 'healthy', provider: 'Aldeamo', mode: 'sandbox', requests: 0 });
  await app.inject(notify(body));
  await app.inject(notify(body));
  expect(await health()).toMatchObject({ requests: 2 });
});

describe('GET /health/upstream', () => {
  test.each<[string, Gateway['check'], number]>([
    ['well', async () => true, 200],
    ['unwell', async () => false, 503],
    ['silent', () => new Promise(() => {}), 503],
  ])('%s', async (_name, check, status) => {
    const { app, gateway } = await buildFakeApp({ check }, { gatewayTimeoutMs: 10 });
    const response = await app.inject('/health/upstream');
    expect(response.statusCode).toBe(status);
    if (status === 200) expect(response.json()).toEqual({ status: 'healthy' });
    else expect(problemSchema.parse(response.json()).type).toBe('urn:problem:upstream-unhealthy');
    expect(gateway.send).not.toHaveBeenCalled();
  });
});

describe('the routes of the sandbox', () => {
  const toggle = (query: string): InjectOptions => ({ method: 'POST', url: `/toggle-failure${query}` });

  test.each([
    ['0', 0],
    ['0.5', 0.5],
    ['1', 1],
  ])('POST /toggle-failure?failure_rate=%s', async (text, rate) => {
    const { app, sandbox } = await buildSandboxApp({ failure_rate: 0.25 });
    const response = await app.inject(toggle(`?failure_rate=${text}`));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'updated', failure_rate: rate });
    expect(sandbox.settings.failure_rate).toBe(rate);
  });

  test('a failure rate of 1 makes sends and checks fail, and 0 makes them succeed', async () => {
    const { app } = await buildSandboxApp();
    const statuses = async () => [
      (await app.inject(notify(body))).statusCode,
      (await app.inject('/health/upstream')).statusCode,
    ];
    await app.inject(toggle('?failure_rate=1'));
    expect(await statuses()).toEqual([503, 503]);
    await app.inject(toggle('?failure_rate=0'));
    expect(await statuses()).toEqual([200, 200]);
  });

  test.each([
    ['', 'failure_rate'],
    ['?failure_rate=', 'failure_rate'],
    ['?failure_rate=1.1', 'failure_rate'],
    ['?failure_rate=-1', 'failure_rate'],
    ['?failure_rate=abc', 'failure_rate'],
    ['?failure_rate=1e-1', 'failure_rate'],
    ['?failure_rate=0&failure_rate=1', 'failure_rate'],
    ['?failure_rate=0&rate=1', 'rate'],
  ])('POST /toggle-failure%s changes nothing', async (query, path) => {
    const { app, sandbox } = await buildSandboxApp({ failure_rate: 0.25 });
    const response = await app.inject(toggle(query));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ path }]);
    expect(sandbox.settings.failure_rate).toBe(0.25);
  });

  test('GET /sandbox/messages is the ledger, in order, and one customer’s on request', async () => {
    const { app, sandbox } = await buildSandboxApp();
    for (const customer_id of ['a', 'b', 'a']) await app.inject(notify({ ...body, customer_id }));
    const ledger = async (query = '') => (await app.inject(`/sandbox/messages${query}`)).json();
    expect(await ledger()).toEqual({ data: sandbox.messages });
    expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(['a', 'b', 'a']);
    expect(await ledger('?customer_id=a')).toEqual({ data: [sandbox.messages[0], sandbox.messages[2]] });
    expect(await ledger('?customer_id=c')).toEqual({ data: [] });
    expect((await app.inject('/sandbox/messages?phone=1')).statusCode).toBe(400);
  });

  test('do not exist for a live gateway', async () => {
    const { app } = await buildFakeApp();
    expect((await app.inject(toggle('?failure_rate=1'))).statusCode).toBe(404);
    expect((await app.inject('/sandbox/messages')).statusCode).toBe(404);
    expect((await app.inject('/sandbox')).statusCode).toBe(404);
    expect((await app.inject({ method: 'POST', url: '/sandbox', payload: {} })).statusCode).toBe(404);
    expect((await app.inject('/health')).json().mode).toBe('live');
    const { paths } = (await app.inject('/openapi.json')).json();
    expect(Object.keys(paths).filter((path) => /toggle|sandbox/.test(path))).toEqual([]);
  });
});

test('/openapi.json names every route', async () => {
  const { app } = await buildSandboxApp();
  const { paths } = (await app.inject('/openapi.json')).json();
  expect(Object.keys(paths).sort()).toEqual([
    '/',
    '/health',
    '/health/live',
    '/health/ready',
    '/health/upstream',
    '/notify',
    '/sandbox',
    '/sandbox/messages',
    '/toggle-failure',
  ]);
});

describe('the log', () => {
  test('has one line for each notification', async () => {
    const { app, lines } = await buildFakeApp({ send: async () => accepted });
    await app.inject(notify(body, 'key-1'));
    const { level: _level, time: _time, pid: _pid, hostname: _hostname, reqId: _id, ...line } = only(lines);
    expect(line).toEqual({
      msg: 'notification answered',
      provider: 'Aldeamo',
      idempotency_key: 'key-1',
      outcome: 'accepted',
      message_id: 'sms-1',
      duration_ms: expect.any(Number),
    });
  });

  test('has the reason of a notification that was not sent', async () => {
    const { app, lines } = await buildFakeApp({
      send: async () => ({ outcome: 'rejected', reason: 'opted_out' }),
    });
    await app.inject(notify(body));
    expect(only(lines)).toMatchObject({ outcome: 'rejected', reason: 'opted_out', idempotency_key: null });
  });

  test('never has the text or the phone, even after errors', async () => {
    const outcomes: Outcome[] = [accepted, { outcome: 'unknown', reason: 'connection_lost' }];
    const { app, lines } = await buildFakeApp({
      send: async () => outcomes.shift() ?? Promise.reject(new Error('a bug of the gateway')),
    });
    const secret = { message: 'texto secreto', customer_id: '1', phone: '+573009999999' };
    const statuses: number[] = [];
    for (const request of [
      notify(secret, 'key-1'),
      notify(secret),
      notify(secret),
      notify({ ...secret, message: 'otro texto secreto' }, 'key-1'),
      notify({ ...secret, phone: '573009999999' }),
      notify({ ...secret, message: `texto secreto\u0000` }),
      { ...notify(secret), payload: '{"phone":"573009999999","message":"texto secreto' },
      { ...notify(secret), headers: { 'content-type': 'text/plain' } },
    ])
      statuses.push((await app.inject(request)).statusCode);
    expect(statuses.slice(0, 7)).toEqual([200, 502, 500, 409, 400, 400, 400]);
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(lines.join('')).not.toMatch(/secreto|573009999999/);
  });
});

test('while it stops, replies with not_sent, so that the other provider is used', async () => {
  const { app, gateway } = await buildFakeApp();
  const stopping = Promise.withResolvers<void>();
  app.addHook('preClose', async () => stopping.resolve());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  // The stop begins when one request is answered, and the next has begun to arrive.
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nPOST /notify');
  await once(socket, 'data');
  const closing = app.close();
  await stopping.promise;
  const payload = JSON.stringify(body);
  socket.write(` HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`);
  socket.write(`content-length: ${payload.length}\r\n\r\n${payload}`);
  const [head, document = ''] = (await text(socket)).split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 503 /);
  expect(head).toContain('retry-after: 1');
  expect(JSON.parse(document)).toMatchObject({ outcome: 'not_sent', reason: 'stopping' });
  expect(gateway.send).not.toHaveBeenCalled();
  await closing;
});

describe('metrics', () => {
  const sends = async ({ app }: Awaited<ReturnType<typeof build>>) => {
    const { body: text } = await app.inject('/metrics');
    return [
      ...text.matchAll(/^paysms_gateway_sends_total\{provider="Aldeamo",outcome="(\w+)"\} (\d+)$/gm),
    ].map(([, outcome, count]) => `${outcome} ${count}`);
  };

  test('have every outcome from the start', async () => {
    expect(await sends(await buildFakeApp())).toEqual([
      'accepted 0',
      'rejected 0',
      'not_sent 0',
      'unknown 0',
    ]);
  });

  test('count sends by outcome; a request with a known key is no send', async () => {
    const outcomes: Outcome[] = [accepted, accepted, { outcome: 'rejected', reason: 'opted_out' }];
    const built = await buildFakeApp({ send: async () => outcomes.shift() as Outcome });
    for (const key of ['key-1', 'key-1', 'key-2', 'key-3']) await built.app.inject(notify(body, key));
    expect(await sends(built)).toEqual(['accepted 2', 'rejected 1', 'not_sent 0', 'unknown 0']);
  });

  test('given a send that ends after its request was answered, count its final outcome', async () => {
    const sent = Promise.withResolvers<Outcome>();
    const built = await buildFakeApp({ send: () => sent.promise }, { gatewayTimeoutMs: 1 });
    expect((await built.app.inject(notify(body, 'key-1'))).statusCode).toBe(504);
    expect(await sends(built)).toContain('accepted 0');
    sent.resolve(accepted);
    expect(await sends(built)).toContain('accepted 1');
  });

  test('show neither the customer, nor the phone, nor the text', async () => {
    const { app } = await buildFakeApp();
    await app.inject(
      notify({ message: 'Pago-secreto', customer_id: 'cliente-9', phone: '+573001234567' }, 'key-9'),
    );
    const { body: text } = await app.inject('/metrics');
    expect(text).toMatch(/^paysms_gateway_send_duration_seconds_count\{.*\} 1$/m);
    expect(text).not.toMatch(/Pago-secreto|cliente-9|3001234567|key-9/);
  });
});

async function buildFakeApp(fakes: Partial<Gateway> = {}, options: Partial<ProviderAppOptions> = {}) {
  const gateway = {
    send: vi.fn<(send: Send) => Promise<Outcome>>(fakes.send ?? (async () => accepted)),
    check: vi.fn<() => Promise<boolean>>(fakes.check ?? (async () => true)),
  };
  return { ...(await build({ gateway, ...options })), gateway };
}

async function buildSandboxApp(settings: Partial<SandboxSettings> = {}) {
  const sandbox = createSandbox({ provider: 'Aldeamo', settings });
  return { ...(await build({ gateway: sandbox, sandbox })), sandbox };
}

async function build(options: Partial<ProviderAppOptions> & { gateway: Gateway }) {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const app = await buildProviderApp({
    provider: 'Aldeamo',
    version: '1.2.3',
    access: { credentials: [] },
    gatewayTimeoutMs: 5000,
    logger,
    ...options,
  });
  onTestFinished(() => app.close());
  return { app, lines };
}

function notify(payload: unknown, key?: string): InjectOptions {
  return {
    method: 'POST',
    url: '/notify',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
    payload: JSON.stringify(payload),
  };
}

function only(lines: string[]): Record<string, unknown> {
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '');
}
