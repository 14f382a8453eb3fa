import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import type { NotifyRequest, Outcome } from 'service-kit/contract/notification.ts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createProviderClient, type ProviderClientOptions } from '../../src/providers/provider-client.ts';

const request: NotifyRequest = { message: 'Pago recibido', customer_id: '123', phone: '+573001234567' };
const accepted = { outcome: 'accepted', message_id: 'SM1' };
const goodReply = { provider: 'Aldeamo', status: 'sent', message_id: 'SM1' };

/** Long enough for an answer over loopback on a busy machine; no test waits longer. */
const ample = 10_000;
/** The deadline in tests that wait until it has passed. */
const short = 150;

function clientOf(url: string, options: Partial<ProviderClientOptions> = {}) {
  const client = createProviderClient({
    provider: 'Aldeamo',
    url,
    timeoutMs: ample,
    maxConcurrency: 10,
    longestSince: (at) => Date.now() - at,
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A provider service that responds in HTTP. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  const url = await listen(server);
  onTestFinished(() => server.closeAllConnections());
  return url;
}

/** A TCP server in place of a provider service. `answer` gets a connection when a whole request has arrived on it. */
async function serveRaw(answer: (socket: Socket) => void): Promise<string> {
  return listen(
    net.createServer((socket) => {
      onTestFinished(() => {
        socket.destroy();
      });
      socket.on('error', () => {}); // both ends drop connections on purpose
      socket.on('data', (data) => {
        if (data.includes('}') || data.includes('GET ')) answer(socket);
      });
    }),
  );
}

async function unusedUrl(): Promise<string> {
  const server = net.createServer();
  const url = await listen(server);
  server.close();
  await once(server, 'close');
  return url;
}

interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

async function outcomeOf({ status, body, headers = {} }: Answer): Promise<Outcome> {
  const url = await serve((_request, response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  return clientOf(url).notify(request, 'pmt_1-1');
}

describe('the provider client, given an answer of the provider service', () => {
  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    ['accepted', { status: 200, body: goodReply }, { outcome: 'accepted', message_id: 'SM1' }],
    [
      'accepted by a sandbox',
      { status: 200, body: { ...goodReply, mode: 'sandbox' } },
      { outcome: 'accepted', message_id: 'SM1', mode: 'sandbox' },
    ],
    [
      'accepted in a mode of a later release',
      { status: 200, body: { ...goodReply, mode: 'rehearsal' } },
      { outcome: 'accepted', message_id: 'SM1' },
    ],
    [
      'rejected, live',
      { status: 422, body: { outcome: 'rejected', reason: 'opted_out', mode: 'live' } },
      { outcome: 'rejected', reason: 'opted_out', mode: 'live' },
    ],
    [
      'unknown, live',
      { status: 504, body: { outcome: 'unknown', reason: 'gateway_timeout', mode: 'live' } },
      { outcome: 'unknown', reason: 'gateway_timeout', mode: 'live' },
    ],
    [
      'not_sent by a sandbox beside a live provider',
      {
        status: 503,
        body: { outcome: 'not_sent', reason: 'sandbox_beside_live', no_outage: true, mode: 'sandbox' },
      },
      { outcome: 'not_sent', reason: 'sandbox_beside_live', no_outage: true, mode: 'sandbox' },
    ],
    [
      'not_sent, in a mode that is no text',
      { status: 503, body: { outcome: 'not_sent', reason: 'down', mode: 7 } },
      { outcome: 'not_sent', reason: 'down' },
    ],
    [
      'rejected',
      { status: 422, body: { title: 'Rejected', outcome: 'rejected', reason: 'opted_out' } },
      { outcome: 'rejected', reason: 'opted_out' },
    ],
    [
      'not_sent',
      { status: 503, body: { outcome: 'not_sent', reason: 'down' } },
      { outcome: 'not_sent', reason: 'down' },
    ],
    [
      'not_sent, no outage',
      { status: 422, body: { outcome: 'not_sent', reason: 'too_long', no_outage: true } },
      { outcome: 'not_sent', reason: 'too_long', no_outage: true },
    ],
    [
      'not_sent, an outage',
      { status: 503, body: { outcome: 'not_sent', reason: 'down', no_outage: false } },
      { outcome: 'not_sent', reason: 'down' },
    ],
    [
      'not_sent, with a Retry-After of 7 s',
      { status: 429, headers: { 'retry-after': '7' }, body: { outcome: 'not_sent', reason: 'throttled' } },
      { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 7000 },
    ],
    [
      'unknown',
      { status: 502, body: { outcome: 'unknown', reason: 'upstream_lost' } },
      { outcome: 'unknown', reason: 'upstream_lost' },
    ],
  ])('returns the outcome that it contains: %s', async (_what, answer, outcome) => {
    await expect(outcomeOf(answer)).resolves.toEqual(outcome);
  });

  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    [
      'accepted, with an id that cannot be printed or stored',
      { status: 200, body: { ...goodReply, message_id: 'SM\u0000\ud800\u202e' } },
      { outcome: 'accepted', message_id: 'SM\ufffd\ufffd\ufffd' },
    ],
    [
      'accepted, with an id of 400 characters',
      { status: 200, body: { ...goodReply, message_id: 'x'.repeat(400) } },
      { outcome: 'accepted', message_id: 'x'.repeat(255) },
    ],
    [
      'accepted, with an id that is a number',
      { status: 200, body: { ...goodReply, message_id: 123 } },
      { outcome: 'accepted', message_id: '123' },
    ],
    ...[undefined, '', null, 5, ['opted_out']].flatMap((reason): [string, Answer, Outcome][] => [
      [
        `rejected, with the reason ${JSON.stringify(reason)}`,
        { status: 422, body: { outcome: 'rejected', reason } },
        { outcome: 'rejected', reason: 'unspecified' },
      ],
      [
        `not_sent, with the reason ${JSON.stringify(reason)}`,
        { status: 503, body: { outcome: 'not_sent', reason } },
        { outcome: 'not_sent', reason: 'unspecified' },
      ],
    ]),
    ...['yes', null, 1].flatMap((no_outage): [string, Answer, Outcome][] => [
      [
        `rejected, with a no_outage of ${JSON.stringify(no_outage)}`,
        { status: 422, body: { outcome: 'rejected', reason: 'opted_out', no_outage } },
        { outcome: 'rejected', reason: 'opted_out' },
      ],
      [
        `not_sent, with a no_outage of ${JSON.stringify(no_outage)}`,
        { status: 503, body: { outcome: 'not_sent', reason: 'x', no_outage } },
        { outcome: 'not_sent', reason: 'x' },
      ],
    ]),
    [
      'accepted, with a text that is not JSON',
      {
        status: 200,
        body: '{"provider":"Aldeamo","status":"sent","message_id":"SM1","note":"a\nb\u0000\\x"}',
      },
      { outcome: 'accepted', message_id: 'SM1' },
    ],
    [
      'rejected, with a reason that cannot be printed or stored',
      { status: 422, body: { outcome: 'rejected', reason: 'no\u0000\ud800' } },
      { outcome: 'rejected', reason: 'no\ufffd\ufffd' },
    ],
    [
      'rejected, with a reason of 400 characters',
      { status: 422, body: { outcome: 'rejected', reason: 'x'.repeat(400) } },
      { outcome: 'rejected', reason: 'x'.repeat(200) },
    ],
    [
      'not_sent, with a Retry-After of 30 000 years',
      {
        status: 429,
        headers: { 'retry-after': '1000000000000' },
        body: { outcome: 'not_sent', reason: 'no' },
      },
      { outcome: 'not_sent', reason: 'no', retry_after_ms: 86_400_000 },
    ],
  ])('returns the outcome of a service of any release: %s', async (_what, answer, outcome) => {
    await expect(outcomeOf(answer)).resolves.toEqual(outcome);
  });

  test('that is not UTF-8, returns the outcome that it contains', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(422).end(Buffer.from('{"outcome":"rejected","reason":"Número"}', 'latin1'));
    });
    await expect(clientOf(url).notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'rejected',
      reason: 'N\ufffdmero',
    });
  });

  test('with a Retry-After that is a date, returns the time until then', async () => {
    const headers = { 'retry-after': new Date(Date.now() + 60_000).toUTCString() };
    const outcome = await outcomeOf({
      status: 429,
      headers,
      body: { outcome: 'not_sent', reason: 'throttled' },
    });
    expect(outcome).toEqual({ outcome: 'not_sent', reason: 'throttled', retry_after_ms: expect.any(Number) });
    const { retry_after_ms } = outcome as { retry_after_ms: number };
    expect(retry_after_ms).toBeGreaterThan(40_000);
    expect(retry_after_ms).toBeLessThanOrEqual(60_000);
  });

  test.each([
    'soon',
    '',
    '-5',
    '1.5',
    'Wed, 21 Oct 2015 07:28:00 GMT',
    '9'.repeat(30),
  ])('with a Retry-After of %j, ignores that header', async (header) => {
    const answer = { status: 429, headers: { 'retry-after': header } };
    await expect(outcomeOf(answer)).resolves.toEqual({ outcome: 'not_sent', reason: 'http_429' });
  });

  // Such a 200 proves that the request arrived, but not that the SMS was sent.
  test.each<[what: string, body: unknown]>([
    ['no body', ''],
    ['no JSON', '{"provider": "Aldeamo", '],
    ['a web page', '<html>Welcome</html>'],
    ['null', null],
    ['another provider', { ...goodReply, provider: 'Twilio' }],
    ['another status', { ...goodReply, status: 'queued' }],
    ['no message id', { ...goodReply, message_id: undefined }],
    ['an empty message id', { ...goodReply, message_id: '' }],
    ['the message id 0', { ...goodReply, message_id: 0 }],
    ['a message id that is none', { ...goodReply, message_id: { id: 'SM1' } }],
    ['a problem', { outcome: 'not_sent', reason: 'down' }],
  ])('of 200 with %s, returns unknown', async (_what, body) => {
    await expect(outcomeOf({ status: 200, body })).resolves.toEqual({
      outcome: 'unknown',
      reason: 'unreadable_answer',
    });
  });
});

describe('the provider client, given an answer without an outcome', () => {
  test.each([
    400, 409, 413, 422,
  ])('and with status %i, returns not_sent, which is no outage', async (status) => {
    await expect(outcomeOf({ status, body: '<html>' })).resolves.toEqual({
      outcome: 'not_sent',
      reason: `http_${status}`,
      no_outage: true,
    });
  });

  test.each([
    401, 402, 403, 404, 429,
  ])('and with status %i, returns not_sent, which is an outage', async (status) => {
    await expect(outcomeOf({ status, headers: { 'retry-after': '3' } })).resolves.toEqual({
      outcome: 'not_sent',
      reason: `http_${status}`,
      retry_after_ms: 3000,
    });
  });

  test.each([
    300, 301, 302, 304, 307, 308,
  ])('and with status %i, returns not_sent, which is an outage, and does not follow it', async (status) => {
    const location = await serve((_request, response) => response.end(JSON.stringify(goodReply)));
    await expect(outcomeOf({ status, headers: { location, 'retry-after': '3' } })).resolves.toEqual({
      outcome: 'not_sent',
      reason: `http_${status}`,
    });
  });

  test.each([201, 204, 500, 502, 503, 504])('and with status %i, returns unknown', async (status) => {
    const headers = { location: 'http://127.0.0.1:1/', 'retry-after': '3' };
    await expect(outcomeOf({ status, headers })).resolves.toEqual({
      outcome: 'unknown',
      reason: `http_${status}`,
    });
  });

  test.each([
    { outcome: 'accepted', reason: 'of course' },
    { outcome: 'Rejected', reason: 'down' },
    { outcome: ['not_sent'], reason: 'down' },
    { reason: 'down' },
  ])('but with 503 and the invalid outcome %j, returns unknown', async (body) => {
    await expect(outcomeOf({ status: 503, body })).resolves.toEqual({
      outcome: 'unknown',
      reason: 'http_503',
    });
  });
});

describe('the provider client returns not_sent', () => {
  test('given a port where no server listens', async () => {
    const client = clientOf(await unusedUrl());
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'connection_refused',
    });
  });

  test('given a name that does not resolve', async () => {
    const client = clientOf('http://name.invalid');
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'dns_failure',
    });
  });

  // Linux lets a connect wait for room in a full backlog; others refuse it.
  test.runIf(process.platform === 'linux')('given a connect that is never answered', async () => {
    const client = clientOf(await blackhole(), { timeoutMs: short });
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'connect_timeout',
    });
  });

  // undici does not abort a request that has no connection yet, and its own connect timeout is coarse: half a second.
  test('within the deadline, given a connect that is never answered', async () => {
    const client = clientOf(await blackhole(), { timeoutMs: 20 });
    const times: number[] = [];
    for (let call = 1; call <= 3; call += 1) {
      const started = performance.now();
      await client.notify(request, `pmt_1-${call}`);
      times.push(performance.now() - started);
    }
    expect(Math.min(...times)).toBeLessThan(400); // a busy machine may be late now and then
  });

  test('given a deadline that passes before there is a connection', async () => {
    const seen: string[] = [];
    const url = await serve(({ url }) => seen.push(String(url)));
    const client = clientOf(url, { timeoutMs: short, maxConcurrency: 1 });
    // 17 checks hold the connection of the sends and the 16 beside it. Their deadline is longer, so that none is free in time.
    const { setTimeout } = globalThis;
    const timer = vi
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation(((run: () => void, ms: number) =>
        setTimeout(run, ms === short ? ample : ms)) as typeof setTimeout);
    const checks = Array.from({ length: 17 }, () => client.check());
    timer.mockRestore();
    const outcome = await client.notify(request, 'pmt_1-1');
    await client.close();
    await Promise.all(checks);
    expect(seen).not.toContain('/notify');
    expect(outcome).toMatchObject({ outcome: 'not_sent' });
  });
});

/** A server whose backlog of one is full, because its thread is blocked and never accepts. */
async function blackhole(): Promise<string> {
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(workerData, 0, 0);
    });`,
    { eval: true, workerData: new Int32Array(new SharedArrayBuffer(4)) },
  );
  onTestFinished(async () => {
    await thread.terminate();
  });
  const [port] = await once(thread, 'message');
  const waiting = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const socket of waiting) socket.destroy();
  });
  await Promise.all(waiting.slice(0, 2).map((socket) => once(socket, 'connect')));
  return `http://127.0.0.1:${port}`;
}

describe('the provider client returns unknown', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

  test.each<[what: string, answer: (socket: Socket) => void]>([
    ['no answer comes', () => {}],
    ['the headers never end', (socket) => socket.write(head)],
    ['no body follows the headers', (socket) => socket.write(`${head}content-length: 64\r\n\r\n`)],
    [
      'the body stops in the middle',
      (socket) => socket.write(`${head}content-length: 64\r\n\r\n{"provider"`),
    ],
    [
      'the body trickles',
      (socket) => {
        socket.write(`${head}content-length: 1000\r\n\r\n`);
        const trickle = setInterval(() => socket.write(' '), 20);
        socket.on('close', () => clearInterval(trickle));
      },
    ],
  ])('given that %s until the deadline', async (_what, answer) => {
    const client = clientOf(await serveRaw(answer), { timeoutMs: short });
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'unknown',
      reason: 'deadline_passed',
    });
  });

  // The deadline exceeds the test's timeout, so that only the lost connection can end the call.
  test.each<[what: string, answer: (socket: Socket) => void, reason?: string]>([
    ['is closed as soon as the request was read', (socket) => socket.end()],
    ['is reset as soon as the request was read', (socket) => socket.resetAndDestroy()],
    [
      'is closed in the middle of the body',
      (socket) => socket.end(`${head}content-length: 64\r\n\r\n{"provider"`),
    ],
    [
      'is reset in the middle of the body',
      (socket) =>
        socket.write(`${head}content-length: 64\r\n\r\n{"provider"`, () => socket.resetAndDestroy()),
    ],
    ['speaks no HTTP', (socket) => socket.end('220 smtp.example.com ESMTP\r\n'), 'unreadable_answer'],
    [
      'sends more headers than the limit',
      (socket) => socket.write(`${head}x: ${'x'.repeat(100_000)}\r\n\r\n`),
      'answer_too_long',
    ],
  ])(
    'given a connection that %s',
    { timeout: ample / 2 },
    async (_what, answer, reason = 'connection_lost') => {
      const client = clientOf(await serveRaw(answer));
      await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
        outcome: 'unknown',
        reason,
      });
    },
  );

  test('given a body that never ends, which it stops reading', { timeout: ample / 2 }, async () => {
    const ended = Promise.withResolvers<number>();
    const url = await serveRaw((socket) => {
      const chunk = ' '.repeat(16 * 1024);
      socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
      const more = () => {
        while (socket.writable && socket.write(`4000\r\n${chunk}\r\n`));
      };
      socket.on('drain', more).on('close', () => ended.resolve(socket.bytesWritten));
      more();
    });
    const outcome = await clientOf(url).notify(request, 'pmt_1-1');
    expect(outcome).toEqual({ outcome: 'unknown', reason: 'answer_too_long' });
    // The buffers of both sockets may fill, but nothing drains them.
    expect(await ended.promise).toBeLessThan(32 * 1024 * 1024);
  });
});

describe('the provider client', () => {
  test('posts the request to /notify, with its key in a header', async () => {
    const seen: unknown[] = [];
    const url = await serve(async (incoming, response) => {
      const { method, headers } = incoming;
      const { 'idempotency-key': key, 'content-type': type } = headers;
      seen.push({ method, path: incoming.url, key, type, body: JSON.parse(await text(incoming)) });
      response.end(JSON.stringify(goodReply));
    });
    const ñ = { customer_id: 'ñ-1', message: 'Se ha procesado un pago de $100 con éxito. ✓' };
    await clientOf(`${url}/ignored/path`).notify(ñ, 'pmt_0199-2');
    expect(seen).toEqual([
      { method: 'POST', path: '/notify', key: 'pmt_0199-2', type: 'application/json', body: ñ },
    ]);
  });

  test('given a lost connection, does not repeat the call', { timeout: ample / 2 }, async () => {
    let requests = 0;
    const url = await serveRaw((socket) => {
      requests += 1;
      socket.resetAndDestroy();
    });
    const client = clientOf(url);
    await client.notify(request, 'pmt_1-1');
    await client.check(); // arrives at the same server, after any repetition would have
    expect(requests).toBe(2);
  });

  test('given a provider that has recovered, returns accepted at once', async () => {
    const answers = [500, 200];
    const url = await serve((_request, response) => {
      response.writeHead(answers.shift() ?? 500).end(JSON.stringify(goodReply));
    });
    const client = clientOf(url);
    await expect(client.notify(request, 'pmt_1-1')).resolves.toMatchObject({ outcome: 'unknown' });
    await expect(client.notify(request, 'pmt_2-1')).resolves.toEqual(accepted);
  });
});

/** A provider service that responds to no call before `letGo`. */
async function serveHeld(count: number) {
  const keys: IncomingMessage['headers'][string][] = [];
  const full = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const url = await serve(async ({ headers, url }, response) => {
    if (url === '/health/upstream') return response.end('{"status":"healthy"}');
    keys.push(headers['idempotency-key']);
    if (keys.length === count) full.resolve();
    await letGo.promise;
    return response.end(JSON.stringify(goodReply));
  });
  return { url, keys, full: full.promise, letGo: letGo.resolve };
}

describe('the provider client, at its concurrency limit', () => {
  test('ends further calls at once as overloaded, which is no outage', async () => {
    const { url, keys, full, letGo } = await serveHeld(3);
    const client = clientOf(url, { maxConcurrency: 3 });
    const underWay = ['a', 'b', 'c'].map((key) => client.notify(request, key));
    await full;
    const overloaded = { outcome: 'not_sent', reason: 'overloaded', no_outage: true };
    await expect(Promise.all(['d', 'e'].map((key) => client.notify(request, key)))).resolves.toEqual([
      overloaded,
      overloaded,
    ]);
    letGo();
    await expect(Promise.all(underWay)).resolves.toEqual([accepted, accepted, accepted]);
    await expect(client.notify(request, 'f')).resolves.toEqual(accepted);
    expect(keys.toSorted()).toEqual(['a', 'b', 'c', 'f']);
  });

  test('makes the check all the same', async () => {
    const { url, full, letGo } = await serveHeld(2);
    const client = clientOf(url, { maxConcurrency: 2 });
    const underWay = ['a', 'b'].map((key) => client.notify(request, key));
    await full;
    await expect(client.check()).resolves.toMatchObject({ status: 'healthy' });
    letGo();
    await Promise.all(underWay);
  });

  test.each<[what: string, url: () => Promise<string>]>([
    ['failed', unusedUrl],
    ['passed their deadline', () => serveRaw(() => {})],
  ])('makes calls again after earlier ones %s', async (_what, url) => {
    const client = clientOf(await url(), { maxConcurrency: 1, timeoutMs: short });
    const first = await client.notify(request, 'a');
    expect(first).not.toMatchObject({ reason: 'overloaded' });
    await expect(client.notify(request, 'b')).resolves.toEqual(first);
  });
});

describe('the check of a provider', () => {
  test.each([
    [200, '{"status":"healthy"}', 'healthy', null, false],
    [200, '{"status":"unknown","reason":"check_forbidden"}', 'unknown', 'check_forbidden', false],
    [200, '{"status":"hea', 'unhealthy', 'unreadable_answer', false],
    [200, '{}', 'unhealthy', 'unreadable_answer', false],
    [204, undefined, 'unhealthy', 'http_204', false],
    [302, '{"status":"healthy"}', 'unhealthy', 'http_302', false],
    [404, '{"status":"healthy"}', 'unhealthy', 'http_404', false],
    [503, '{"status":"healthy"}', 'unhealthy', 'unspecified', false],
    [503, '{"reason":"connection_refused"}', 'unhealthy', 'connection_refused', false],
    [503, '{"reason":"credentials","account_refused":true}', 'unhealthy', 'credentials', true],
    [
      503,
      '{"reason":"twilio_21606","account_refused":true,"only_a_send_can_tell":true}',
      'unknown',
      'twilio_21606',
      true,
    ],
  ] as const)('given an answer of %i %s, returns %s', async (answer, body, status, reason, account_refused) => {
    const received: unknown[] = [];
    const url = await serve(({ method, url }, response) => {
      received.push(`${method} ${url}`);
      response.writeHead(answer, { location: '/' }).end(body);
    });
    await expect(clientOf(url).check()).resolves.toEqual({ status, reason, account_refused });
    expect(received).toEqual(['GET /health/upstream']);
  });

  test('given a port where no server listens, returns unhealthy', async () => {
    await expect(clientOf(await unusedUrl()).check()).resolves.toMatchObject({ status: 'unhealthy' });
  });

  test('given a silent provider, returns unhealthy by its deadline', async () => {
    await expect(clientOf(await serve(() => {}), { timeoutMs: short }).check()).resolves.toMatchObject({
      status: 'unhealthy',
    });
  });

  test('given a 200 whose body never ends, returns unhealthy by its deadline', async () => {
    const url = await serve((_request, response) => response.writeHead(200).write('{'));
    await expect(clientOf(url, { timeoutMs: short }).check()).resolves.toMatchObject({ status: 'unhealthy' });
  });

  test('given a connection that is dropped, returns unhealthy', { timeout: ample / 2 }, async () => {
    await expect(clientOf(await serve(({ socket }) => socket.destroy())).check()).resolves.toMatchObject({
      status: 'unhealthy',
    });
  });
});

describe('the state that a provider service reports of itself', () => {
  const refused = {
    state: 'refused',
    reason: 'credentials',
    since: '2026-01-01T00:00:00.000Z',
    balance: null,
  };

  test.each<[status: number, body: unknown, state: object | undefined]>([
    [200, { mode: 'live', account: refused, requests: 1 }, { mode: 'live', account: refused }],
    [200, { mode: 'sandbox', account: null }, { mode: 'sandbox', account: null }],
    [200, { mode: 'live' }, { mode: 'live', account: null }], // of an older release
    [200, { mode: 'live', account: { ...refused, state: 'limited' } }, { mode: 'live', account: null }],
    [200, { mode: 'live', account: 'refused' }, { mode: 'live', account: null }],
    [200, { account: refused }, undefined],
    [200, '<html>', undefined],
    [503, { mode: 'live', account: refused }, undefined],
  ])('given a %i with %j, is %o', async (status, body, state) => {
    const url = await serve((_request, response) => response.writeHead(status).end(JSON.stringify(body)));
    await expect(clientOf(url).readState()).resolves.toEqual(state);
  });

  test('given a port where no server listens, is unknown', async () => {
    await expect(clientOf(await unusedUrl()).readState()).resolves.toBeUndefined();
  });
});

describe('the status query of an attempt', () => {
  const ageMs = 3_600_000;
  const startedAt = Date.now() - ageMs;
  const unknownKey = (sinceMs: number) => ({
    type: '/problems/notification-not-found',
    complete_for_ms: ageMs - sinceMs,
  });
  const problemOf = (outcome: string, reason: string, more = {}) => ({
    type: `/problems/notification-${outcome.replace('_', '-')}`,
    outcome_of: 'notification',
    outcome,
    reason,
    ...more,
  });

  async function ask({ status, body, headers = {} }: Answer) {
    const received: unknown[] = [];
    const url = await serve((incoming, response) => {
      received.push([incoming.method, incoming.url, incoming.headers['idempotency-key']]);
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const outcome = await clientOf(url).ask('pmt_0199-2', startedAt);
    expect(received).toEqual([['DELETE', '/notify', 'pmt_0199-2']]); // and no POST, which could send the SMS again
    return outcome;
  }

  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    ['accepted', { status: 200, body: goodReply }, { outcome: 'accepted', message_id: 'SM1' }],
    [
      'rejected',
      { status: 422, body: problemOf('rejected', 'opted_out') },
      { outcome: 'rejected', reason: 'opted_out' },
    ],
    [
      'rejected, without a reason',
      {
        status: 422,
        body: { outcome_of: 'notification', outcome: 'rejected', no_outage: 'yes' },
      },
      { outcome: 'rejected', reason: 'unspecified' },
    ],
    [
      'not_sent',
      { status: 503, body: problemOf('not_sent', 'down') },
      { outcome: 'not_sent', reason: 'down' },
    ],
    [
      'not_sent, no outage',
      { status: 503, body: problemOf('not_sent', 'no_phone', { no_outage: true }) },
      { outcome: 'not_sent', reason: 'no_phone', no_outage: true },
    ],
    [
      'throttled',
      { status: 429, headers: { 'retry-after': '7' }, body: problemOf('not_sent', 'throttled') },
      { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 7000 },
    ],
    [
      'never received, where records begin long before',
      { status: 404, body: unknownKey(-60_000) },
      { outcome: 'not_sent', reason: 'never_received' },
    ],
    [
      'never received, where records begin shortly before',
      { status: 404, body: unknownKey(-30_000) },
      { outcome: 'not_sent', reason: 'never_received' },
    ],
  ])('returns the outcome: %s', async (_what, answer, outcome) => {
    await expect(ask(answer)).resolves.toEqual(outcome);
  });

  test.each([
    [3_000_000, 'not_sent'],
    [Number.POSITIVE_INFINITY, undefined], // a wall clock that was set back
  ])('given an attempt of up to %i ms ago and records of an hour, settles it as %s', async (longest, outcome) => {
    const url = await serve((_incoming, response) =>
      response.writeHead(404).end(JSON.stringify(unknownKey(0))),
    );
    const client = clientOf(url, { longestSince: () => longest });
    const expected = outcome && { outcome, reason: 'never_received' };
    expect(await client.ask('pmt_0199-2', Date.now())).toEqual(expected);
  });

  test.each<[what: string, answer: Answer]>([
    ['a service that restarted afterwards', { status: 404, body: unknownKey(60_000) }],
    ['a service that restarted at that moment', { status: 404, body: unknownKey(0) }],
    ['a service that restarted about then', { status: 404, body: unknownKey(-1000) }],
    [
      'a path that does not exist',
      { status: 404, body: { type: '/problems/not-found', title: 'Not Found' } },
    ],
    ['an older release', { status: 404, body: '<html>' }],
    ['an invalid time', { status: 404, body: { complete_for_ms: 'a day' } }],
    ['an unknown outcome', { status: 502, body: problemOf('unknown', 'connection_lost') }],
    [
      'a provider whose answer was unreadable',
      { status: 502, body: problemOf('unknown', 'unreadable_answer') },
    ],
    ['a service that has lost the outcome', { status: 502, body: problemOf('unknown', 'interrupted') }],
  ])('given %s, returns that the outcome is not known', async (_what, answer) => {
    await expect(ask(answer)).resolves.toBeUndefined();
  });

  test.each<[what: string, answer: Answer]>([
    ['a service that stopped waiting', { status: 504, body: problemOf('unknown', 'gateway_timeout') }],
    [
      'a service that cannot read the outcome',
      { status: 502, body: problemOf('unknown', 'outcome_unavailable') },
    ],
    [
      'a service whose idempotency store does not respond',
      { status: 503, body: { type: '/problems/idempotency-store-unavailable' } },
    ],
    ['200 with another provider', { status: 200, body: { ...goodReply, provider: 'Twilio' } }],
    ['200 with half a body', { status: 200, body: '{"provider": "Ald' }],
    ['200 with a problem', { status: 200, body: problemOf('not_sent', 'down') }],
    ['a bad gateway before it', { status: 502, body: '<html>' }],
    ['a bad request', { status: 400, body: { type: '/problems/invalid-request' } }],
    ['a bug', { status: 500, body: { type: '/problems/internal-error' } }],
    ['too many queries', { status: 429, headers: { 'retry-after': '7' }, body: '' }],
    // A stopping service responds not_sent about the query, not about the attempt.
    [
      'a service that is stopping',
      { status: 503, body: { type: '/problems/stopping', outcome: 'not_sent', reason: 'stopping' } },
    ],
    [
      'an outcome of an earlier release, which does not say what it is of',
      {
        status: 503,
        body: { type: 'urn:problem:notification-not-sent', outcome: 'not_sent', reason: 'down' },
      },
    ],
    [
      'an outcome of what this release does not know',
      { status: 503, body: problemOf('not_sent', 'down', { outcome_of: 'query' }) },
    ],
  ])('given %s, returns that it is unanswered', async (_what, answer) => {
    await expect(ask(answer)).resolves.toBe('unanswered');
  });

  test('given a port where no server listens, returns that it is unanswered', async () => {
    await expect(clientOf(await unusedUrl()).ask('pmt_1-1', startedAt)).resolves.toBe('unanswered');
  });

  test('given a silent provider, returns that it is unanswered, by its deadline', async () => {
    const client = clientOf(await serve(() => {}), { timeoutMs: short });
    await expect(client.ask('pmt_1-1', startedAt)).resolves.toBe('unanswered');
  });

  test('given a connection that is dropped, returns that it is unanswered', {
    timeout: ample / 2,
  }, async () => {
    const client = clientOf(await serve(({ socket }) => socket.destroy()));
    await expect(client.ask('pmt_1-1', startedAt)).resolves.toBe('unanswered');
  });

  test('given calls at the concurrency limit, is made all the same', async () => {
    const { url, full, letGo } = await serveHeld(2);
    const client = clientOf(url, { maxConcurrency: 1 });
    const underWay = client.notify(request, 'a');
    const query = client.ask('b', startedAt);
    await full; // the test double delays queries, too, and gives all the same answer
    letGo();
    await expect(query).resolves.toEqual(accepted);
    await underWay;
  });
});

test('the provider client, when closed, ends a running check as unhealthy and closes every connection', {
  timeout: ample / 2,
}, async () => {
  const received = Promise.withResolvers<Socket>();
  const client = clientOf(await serve(({ socket }) => received.resolve(socket)));
  const health = client.check();
  const socket = await received.promise;
  const closed = once(socket, 'close');
  await client.close();
  await expect(health).resolves.toMatchObject({ status: 'unhealthy' });
  await closed;
});
