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

/** Long enough for an answer over loopback on a busy machine, and what a test waits for at most. */
const ample = 10_000;
/** For the tests that wait for it to pass. */
const short = 150;

function clientOf(url: string, options: Partial<ProviderClientOptions> = {}) {
  const client = createProviderClient({
    provider: 'Aldeamo',
    url,
    timeoutMs: ample,
    maxConcurrency: 10,
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

/** A provider service that answers in HTTP. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  const url = await listen(server);
  onTestFinished(() => server.closeAllConnections());
  return url;
}

/** What is no provider service: whatever it does to a connection once a whole request has come in on it. */
async function serveRaw(answer: (socket: Socket) => void): Promise<string> {
  return listen(
    net.createServer((socket) => {
      onTestFinished(() => {
        socket.destroy();
      });
      socket.on('error', () => {}); // it hangs up on the client, and the client on it
      socket.on('data', (data) => {
        if (data.includes('}') || data.includes('GET ')) answer(socket);
      });
    }),
  );
}

async function portOfNobody(): Promise<string> {
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

describe('an answer of the provider service', () => {
  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    ['accepted', { status: 200, body: goodReply }, { outcome: 'accepted', message_id: 'SM1' }],
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
      'not_sent, to be asked again in 7 s',
      { status: 429, headers: { 'retry-after': '7' }, body: { outcome: 'not_sent', reason: 'throttled' } },
      { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 7000 },
    ],
    [
      'unknown',
      { status: 502, body: { outcome: 'unknown', reason: 'upstream_lost' } },
      { outcome: 'unknown', reason: 'upstream_lost' },
    ],
  ])('says itself what the outcome is: %s', async (_what, answer, outcome) => {
    await expect(outcomeOf(answer)).resolves.toEqual(outcome);
  });

  test('may say until when it is to be left alone', async () => {
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
  ])('is read without a Retry-After of %j, which asks for nothing', async (header) => {
    const answer = { status: 429, headers: { 'retry-after': header } };
    await expect(outcomeOf(answer)).resolves.toEqual({ outcome: 'not_sent', reason: 'http_429' });
  });

  // 200 and no word that it was sent: somebody took it, and nobody knows what became of it.
  test.each<[what: string, body: unknown]>([
    ['no body', ''],
    ['no JSON', '{"provider": "Aldeamo", '],
    ['a web page', '<html>Welcome</html>'],
    ['null', null],
    ['another provider', { ...goodReply, provider: 'Twilio' }],
    ['another status', { ...goodReply, status: 'queued' }],
    ['no message id', { ...goodReply, message_id: undefined }],
    ['an empty message id', { ...goodReply, message_id: '' }],
    ['a problem', { outcome: 'not_sent', reason: 'down' }],
  ])('of 200 with %s is unreadable', async (_what, body) => {
    await expect(outcomeOf({ status: 200, body })).resolves.toEqual({
      outcome: 'unknown',
      reason: 'unreadable_answer',
    });
  });
});

describe('an answer of something else in its place is read by its status', () => {
  test.each([400, 409, 413, 422])('%i: it did not like this one request', async (status) => {
    await expect(outcomeOf({ status, body: '<html>' })).resolves.toEqual({
      outcome: 'not_sent',
      reason: `http_${status}`,
      no_outage: true,
    });
  });

  test.each([401, 402, 403, 404, 429])('%i: it takes nothing', async (status) => {
    await expect(outcomeOf({ status, headers: { 'retry-after': '3' } })).resolves.toEqual({
      outcome: 'not_sent',
      reason: `http_${status}`,
      retry_after_ms: 3000,
    });
  });

  test.each([201, 204, 302, 500, 502, 503, 504])('%i: nobody knows', async (status) => {
    const headers = { location: 'http://127.0.0.1:1/', 'retry-after': '3' };
    await expect(outcomeOf({ status, headers })).resolves.toEqual({
      outcome: 'unknown',
      reason: `http_${status}`,
    });
  });

  test.each([
    { outcome: 'accepted', reason: 'of course' },
    { outcome: 'not_sent' },
    { outcome: 'not_sent', reason: '' },
    { outcome: 'not_sent', reason: 'x'.repeat(201) },
    { outcome: 'not_sent', reason: 'down', no_outage: 'yes' },
  ])('503 with what is no outcome, %j: nobody knows', async (body) => {
    await expect(outcomeOf({ status: 503, body })).resolves.toEqual({
      outcome: 'unknown',
      reason: 'http_503',
    });
  });
});

describe('nothing was sent', () => {
  test('where nobody listens', async () => {
    const client = clientOf(await portOfNobody());
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'connection_refused',
    });
  });

  test('where the name means nobody', async () => {
    const client = clientOf('http://name.invalid');
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'dns_failure',
    });
  });

  // Linux lets a connect wait for room in a full backlog; others refuse it.
  test.runIf(process.platform === 'linux')('where the connect is never answered', async () => {
    const client = clientOf(await blackhole(), { timeoutMs: short });
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'not_sent',
      reason: 'connect_timeout',
    });
  });

  // undici does not abort a request that has no connection yet, and its own connect timeout is coarse: half a second.
  test('and the deadline holds where the connect is never answered', async () => {
    const client = clientOf(await blackhole(), { timeoutMs: 20 });
    const started = performance.now();
    await client.notify(request, 'pmt_1-1');
    expect(performance.now() - started).toBeLessThan(400);
  });

  test('where the deadline passes before there is a connection', async () => {
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

/** A backlog of one, full, before a thread that never comes to accept. */
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

describe('nobody knows', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

  test.each<[what: string, answer: (socket: Socket) => void]>([
    ['no answer comes', () => {}],
    ['the headers never end', (socket) => socket.write(head)],
    ['headers come, then silence', (socket) => socket.write(`${head}content-length: 64\r\n\r\n`)],
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
  ])('where %s until the deadline', async (_what, answer) => {
    const client = clientOf(await serveRaw(answer), { timeoutMs: short });
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'unknown',
      reason: 'deadline_passed',
    });
  });

  // With a deadline that a test does not live to see: what ends the call is the lost connection.
  test.each<[what: string, answer: (socket: Socket) => void]>([
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
    ['speaks no HTTP', (socket) => socket.end('220 smtp.example.com ESMTP\r\n')],
    ['brings more headers than fit', (socket) => socket.write(`${head}x: ${'x'.repeat(100_000)}\r\n\r\n`)],
  ])('where the connection %s', { timeout: ample / 2 }, async (_what, answer) => {
    const client = clientOf(await serveRaw(answer));
    await expect(client.notify(request, 'pmt_1-1')).resolves.toEqual({
      outcome: 'unknown',
      reason: 'connection_lost',
    });
  });

  test('where the body never ends, which is not read to its end', { timeout: ample / 2 }, async () => {
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
    expect(outcome).toEqual({ outcome: 'unknown', reason: 'connection_lost' });
    // What the sockets of both ends hold, and no more.
    expect(await ended.promise).toBeLessThan(32 * 1024 * 1024);
  });
});

describe('a call', () => {
  test('asks for the SMS as it was told to, under its key', async () => {
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

  test('is made once, whatever comes of it', { timeout: ample / 2 }, async () => {
    let requests = 0;
    const url = await serveRaw((socket) => {
      requests += 1;
      socket.resetAndDestroy();
    });
    const client = clientOf(url);
    await client.notify(request, 'pmt_1-1');
    await client.check(); // comes to the same server, after any repetition would have
    expect(requests).toBe(2);
  });

  test('does well again as soon as the provider does', async () => {
    const answers = [500, 200];
    const url = await serve((_request, response) => {
      response.writeHead(answers.shift() ?? 500).end(JSON.stringify(goodReply));
    });
    const client = clientOf(url);
    await expect(client.notify(request, 'pmt_1-1')).resolves.toMatchObject({ outcome: 'unknown' });
    await expect(client.notify(request, 'pmt_2-1')).resolves.toEqual(accepted);
  });
});

/** A provider service that keeps its requests until they are let go. */
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

describe('more calls than are allowed', () => {
  test('are not made, say so at once, and are no sign of an outage', async () => {
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

  test('leave room for the check', async () => {
    const { url, full, letGo } = await serveHeld(2);
    const client = clientOf(url, { maxConcurrency: 2 });
    const underWay = ['a', 'b'].map((key) => client.notify(request, key));
    await full;
    await expect(client.check()).resolves.toBe(true);
    letGo();
    await Promise.all(underWay);
  });

  test.each<[what: string, url: () => Promise<string>]>([
    ['failed', portOfNobody],
    ['passed their deadline', () => serveRaw(() => {})],
  ])('are allowed again after calls that %s', async (_what, url) => {
    const client = clientOf(await url(), { maxConcurrency: 1, timeoutMs: short });
    const first = await client.notify(request, 'a');
    expect(first).not.toMatchObject({ reason: 'overloaded' });
    await expect(client.notify(request, 'b')).resolves.toEqual(first);
  });
});

describe('the check', () => {
  test.each([
    [200, '{"status":"healthy"}', true],
    [200, '{"status":"hea', false],
    [200, '{}', false],
    [204, undefined, false],
    [302, '{"status":"healthy"}', false],
    [404, '{"status":"healthy"}', false],
    [503, '{"status":"healthy"}', false],
  ])('of a provider that answers %i %s: %s', async (status, body, well) => {
    const asked: unknown[] = [];
    const url = await serve(({ method, url }, response) => {
      asked.push(`${method} ${url}`);
      response.writeHead(status, { location: '/' }).end(body);
    });
    await expect(clientOf(url).check()).resolves.toBe(well);
    expect(asked).toEqual(['GET /health/upstream']);
  });

  test('of one that nobody listens for: false', async () => {
    await expect(clientOf(await portOfNobody()).check()).resolves.toBe(false);
  });

  test('of one that is silent: false, by its deadline', async () => {
    await expect(clientOf(await serve(() => {}), { timeoutMs: short }).check()).resolves.toBe(false);
  });

  test('of one that says 200 and never ends its body: false, by its deadline', async () => {
    const url = await serve((_request, response) => response.writeHead(200).write('{'));
    await expect(clientOf(url, { timeoutMs: short }).check()).resolves.toBe(false);
  });

  test('of one that hangs up: false', { timeout: ample / 2 }, async () => {
    await expect(clientOf(await serve(({ socket }) => socket.destroy())).check()).resolves.toBe(false);
  });
});

describe('asking what became of an attempt', () => {
  const ageMs = 3_600_000;
  const startedAt = Date.now() - ageMs;
  const unknownKey = (sinceMs: number) => ({
    type: 'urn:problem:notification-unknown',
    complete_for_ms: ageMs - sinceMs,
  });
  const told = (outcome: string, reason: string, more = {}) => ({
    type: `urn:problem:notification-${outcome.replace('_', '-')}`,
    outcome,
    reason,
    ...more,
  });

  async function ask({ status, body, headers = {} }: Answer): Promise<Outcome | undefined> {
    const asked: unknown[] = [];
    const url = await serve((incoming, response) => {
      asked.push([incoming.method, incoming.url, incoming.headers['idempotency-key']]);
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const outcome = await clientOf(url).ask('pmt_0199-2', startedAt);
    expect(asked).toEqual([['DELETE', '/notify', 'pmt_0199-2']]); // and nothing is ever posted
    return outcome;
  }

  test.each<[what: string, answer: Answer, outcome: Outcome]>([
    ['accepted', { status: 200, body: goodReply }, { outcome: 'accepted', message_id: 'SM1' }],
    [
      'rejected',
      { status: 422, body: told('rejected', 'opted_out') },
      { outcome: 'rejected', reason: 'opted_out' },
    ],
    ['not_sent', { status: 503, body: told('not_sent', 'down') }, { outcome: 'not_sent', reason: 'down' }],
    [
      'not_sent, no outage',
      { status: 503, body: told('not_sent', 'no_phone', { no_outage: true }) },
      { outcome: 'not_sent', reason: 'no_phone', no_outage: true },
    ],
    [
      'throttled',
      { status: 429, headers: { 'retry-after': '7' }, body: told('not_sent', 'throttled') },
      { outcome: 'not_sent', reason: 'throttled', retry_after_ms: 7000 },
    ],
    [
      'never received by one that has known every key since long before',
      { status: 404, body: unknownKey(-60_000) },
      { outcome: 'not_sent', reason: 'never_received' },
    ],
    [
      'never received by one that has known every key since somewhat before',
      { status: 404, body: unknownKey(-30_000) },
      { outcome: 'not_sent', reason: 'never_received' },
    ],
  ])('finds it: %s', async (_what, answer, outcome) => {
    await expect(ask(answer)).resolves.toEqual(outcome);
  });

  test.each<[what: string, answer: Answer]>([
    ['a service that has restarted since', { status: 404, body: unknownKey(60_000) }],
    ['a service that restarted at that moment', { status: 404, body: unknownKey(0) }],
    ['a service that restarted about then', { status: 404, body: unknownKey(-1000) }],
    [
      'a path that does not exist',
      { status: 404, body: { type: 'urn:problem:not-found', title: 'Not Found' } },
    ],
    ['an older release', { status: 404, body: '<html>' }],
    ['a time that is none', { status: 404, body: { complete_for_ms: 'a day' } }],
    ['a service that does not know either', { status: 502, body: told('unknown', 'connection_lost') }],
    ['a service that has given up waiting', { status: 504, body: told('unknown', 'gateway_timeout') }],
    ['200 with another provider', { status: 200, body: { ...goodReply, provider: 'Twilio' } }],
    ['200 with half a body', { status: 200, body: '{"provider": "Ald' }],
    ['200 with a problem', { status: 200, body: told('not_sent', 'down') }],
    ['a bad gateway before it', { status: 502, body: '<html>' }],
    ['a bad request', { status: 400, body: { type: 'urn:problem:invalid-request' } }],
    ['a bug', { status: 500, body: { type: 'urn:problem:internal-error' } }],
    ['too many questions', { status: 429, headers: { 'retry-after': '7' }, body: '' }],
    // A stopping service says not_sent: of the question, not of the attempt.
    [
      'a service that is stopping',
      { status: 503, body: { ...told('not_sent', 'stopping'), type: 'urn:problem:stopping' } },
    ],
    [
      'something else that has an outcome to tell',
      { status: 503, body: { outcome: 'not_sent', reason: 'down' } },
    ],
  ])('finds nothing: %s', async (_what, answer) => {
    await expect(ask(answer)).resolves.toBeUndefined();
  });

  test('finds nothing where nobody listens', async () => {
    await expect(clientOf(await portOfNobody()).ask('pmt_1-1', startedAt)).resolves.toBeUndefined();
  });

  test('finds nothing where it is silent, by its deadline', async () => {
    const client = clientOf(await serve(() => {}), { timeoutMs: short });
    await expect(client.ask('pmt_1-1', startedAt)).resolves.toBeUndefined();
  });

  test('finds nothing where it hangs up', { timeout: ample / 2 }, async () => {
    const client = clientOf(await serve(({ socket }) => socket.destroy()));
    await expect(client.ask('pmt_1-1', startedAt)).resolves.toBeUndefined();
  });

  test('has room, however many calls are under way', async () => {
    const { url, full, letGo } = await serveHeld(2);
    const client = clientOf(url, { maxConcurrency: 1 });
    const underWay = client.notify(request, 'a');
    const question = client.ask('b', startedAt);
    await full; // the fake holds questions, too, and answers all alike
    letGo();
    await expect(question).resolves.toEqual(accepted);
    await underWay;
  });
});

test('close ends a check that is under way, as false, and every connection', {
  timeout: ample / 2,
}, async () => {
  const asked = Promise.withResolvers<Socket>();
  const client = clientOf(await serve(({ socket }) => asked.resolve(socket)));
  const well = client.check();
  const socket = await asked.promise;
  const closed = once(socket, 'close');
  await client.close();
  await expect(well).resolves.toBe(false);
  await closed;
});
