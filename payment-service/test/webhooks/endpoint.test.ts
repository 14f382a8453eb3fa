import dns, { type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { proxyAnswers, startConnectProxy } from '../../../test/doubles/connect-proxy.ts';
import { type ReceivedRequest, serveDouble } from '../../../test/doubles/http-double.ts';
import type { PaymentEvent } from '../../src/domain/events.ts';
import { createEndpoint, type EndpointOptions } from '../../src/webhooks/endpoint.ts';
import { bodyOf } from '../../src/webhooks/message.ts';

/** Long enough for an answer over loopback on a busy machine. */
const ample = 10_000;
const short = 150;
const secrets = [Buffer.alloc(24, 1), Buffer.alloc(32, 2)];
const event: PaymentEvent = {
  event_id: 'evt_1',
  payment_id: 'pmt_1',
  type: 'payment.notification.sent',
  data: '{"payment_id":"pmt_1","customer_id":"Á"}',
  created_at: '2026-03-01T12:00:00.000Z',
};

function endpointOf(url: string, options: Partial<EndpointOptions> = {}) {
  const lines: { fields: object; text: string }[] = [];
  const log = { error: (fields: object, text: string) => void lines.push({ fields, text }) };
  const endpoint = createEndpoint({
    ...{ url, secrets, timeoutMs: ample, concurrency: 4, allowPrivate: false },
    log: log as EndpointOptions['log'],
    ...options,
  });
  onTestFinished(() => endpoint.close());
  return Object.assign(endpoint, { lines });
}

/** A merchant's receiver. */
async function receive(answer: (response: ServerResponse, request: ReceivedRequest) => unknown) {
  const received: ReceivedRequest[] = [];
  const double = await serveDouble((request, response) => {
    received.push(request);
    answer(response, request);
  });
  onTestFinished(() => double[Symbol.asyncDispose]());
  return { url: double.url, received };
}

/** A receiver that is not quite one of HTTP. */
async function receiveRaw(answer: (socket: Socket) => unknown) {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a try', () => {
  test('posts the signed event to the path and the query of the URL', async () => {
    const { url, received } = await receive((response) => response.writeHead(204).end());
    const endpoint = endpointOf(`${url}/hooks/payments?shop=a%20b`);
    expect(await endpoint.post(event)).toEqual({ result: 'taken' });
    const [request] = received as [ReceivedRequest];
    expect(request).toMatchObject({
      method: 'POST',
      path: '/hooks/payments?shop=a%20b',
      body: bodyOf(event),
    });
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^payments-with-sms\//),
      'webhook-id': 'evt_1',
    });
    expect(request.headers).not.toHaveProperty('authorization');
    for (const key of secrets) {
      const headers = request.headers as Record<string, string>;
      expect(new Webhook(key.toString('base64')).verify(request.body, headers)).toMatchObject({
        type: 'payment.notification.sent',
        data: { payment_id: 'pmt_1', customer_id: 'Á' },
      });
    }
  });

  test('sends the same id and the same bytes each time, with a signature of its own', async () => {
    const { url, received } = await receive((response) => response.writeHead(500).end());
    const endpoint = endpointOf(url);
    await endpoint.post(event);
    await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000) + 10)); // the next second
    await endpoint.post(event);
    const [first, second] = received as [ReceivedRequest, ReceivedRequest];
    expect(second.body).toBe(first.body);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp']);
    expect(second.headers['webhook-signature']).not.toBe(first.headers['webhook-signature']);
  });

  test.each([200, 201, 202, 204, 299])('that gets a %i is taken', async (status) => {
    const { url } = await receive((response) => response.writeHead(status).end());
    expect(await endpointOf(url).post(event)).toEqual({ result: 'taken' });
  });

  test.each([
    301, 302, 307, 308, 400, 401, 404, 409, 422, 500, 502, 503,
  ])('that gets a %i fails', async (status) => {
    const { url, received } = await receive((response) =>
      response.writeHead(status, { location: '/elsewhere' }).end(),
    );
    expect(await endpointOf(url).post(event)).toEqual({ result: 'failed', reason: `http_${status}` });
    expect(received).toHaveLength(1);
  });

  test('that gets a 410 means that no more are wanted', async () => {
    const { url } = await receive((response) => response.writeHead(410).end());
    expect(await endpointOf(url).post(event)).toEqual({ result: 'gone' });
  });

  test.each([
    [429, '7', 7000, true],
    [503, '7', 7000, true],
    [500, '7', 7000, false],
    [503, String(10 * 86_400), 86_400_000, true],
  ])('that gets a %i with a Retry-After of %s heeds it', async (status, header, retryAfterMs, isThrottled) => {
    const { url } = await receive((response) => response.writeHead(status, { 'retry-after': header }).end());
    const reason = `http_${status}`;
    expect(await endpointOf(url).post(event)).toEqual({
      result: 'failed',
      reason,
      retryAfterMs,
      isThrottled,
    });
  });

  test('that gets a 503 with a Retry-After that is a date heeds it', async () => {
    const at = new Date(Date.now() + 60_000).toUTCString();
    const { url } = await receive((response) => response.writeHead(503, { 'retry-after': at }).end());
    const ended = await endpointOf(url).post(event);
    if (ended.result !== 'failed') throw new Error(`it is ${ended.result}`);
    expect(ended.retryAfterMs).toBeGreaterThan(50_000);
    expect(ended.retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  const ok = 'HTTP/1.1 200 OK\r\n';
  test.each<[what: string, answer: (socket: Socket) => unknown, timeoutMs: number, result: object]>([
    [
      'is cut off at a body of megabytes',
      (socket) => socket.write(`${ok}content-length: 5000000\r\n\r\n${'x'.repeat(5e6)}`),
      ample,
      { result: 'taken' },
    ],
    ['is cut off at a body without end', endless, ample, { result: 'taken' }],
    [
      'ends within a body that breaks off',
      (socket) => socket.end(`${ok}content-length: 100\r\n\r\nabc`),
      ample,
      { result: 'taken' },
    ],
    [
      'ends with a body that stalls',
      (socket) => socket.write(`${ok}content-length: 100\r\n\r\nabc`),
      short,
      { result: 'taken' },
    ],
    [
      'fails at headers without end',
      (socket) => socket.write(`${ok}x: ${'x'.repeat(1e6)}`),
      ample,
      { result: 'failed', reason: 'answer_too_long' },
    ],
    [
      'fails at an answer that is no HTTP',
      (socket) => socket.write('hello, merchant\r\n\r\n'),
      ample,
      { result: 'failed', reason: 'unreadable_answer' },
    ],
    [
      'fails at a connection that breaks off',
      (socket) => socket.destroy(),
      ample,
      { result: 'failed', reason: 'connection_lost' },
    ],
    ['fails at silence', () => {}, short, { result: 'failed', reason: 'deadline_passed' }],
  ])('%s', { timeout: ample / 2 }, async (_what, answer, timeoutMs, result) => {
    const endpoint = endpointOf(await receiveRaw(answer), { timeoutMs });
    expect(await endpoint.post(event)).toEqual(result);
  });

  test('reads no more than 64 KB of a body', async () => {
    let sent = 0;
    const url = await receiveRaw((socket) => {
      endless(socket);
      socket.on('close', () => {
        sent = socket.bytesWritten;
      });
    });
    await endpointOf(url).post(event);
    await expect.poll(() => sent).toBeGreaterThan(64 * 1024);
    expect(sent).toBeLessThan(16 * 1024 * 1024); // what the buffers of the two sockets hold
  });

  test('fails if nothing listens', async () => {
    const endpoint = endpointOf('http://127.0.0.1:1');
    expect(await endpoint.post(event)).toEqual({ result: 'failed', reason: 'connection_refused' });
  });

  test('fails if the receiver speaks no TLS, which is logged without the path', async () => {
    const { url } = await receive((response) => response.end());
    const endpoint = endpointOf(`${url.replace('http:', 'https:')}/hooks/hidden`);
    const ended = await endpoint.post(event);
    expect(ended).toMatchObject({ result: 'failed', reason: expect.stringMatching(/^tls_/) });
    expect(endpoint.lines).toHaveLength(1);
    expect(JSON.stringify(endpoint.lines)).not.toContain('hidden');
  });

  test('under way is ended by a close', async () => {
    let close = () => {};
    const { url } = await receive(() => close());
    const endpoint = endpointOf(url);
    close = () => void endpoint.close();
    expect(await endpoint.post(event)).toMatchObject({ result: 'failed' });
  });
});

type Resolved = (error: null, addresses: LookupAddress[]) => void;

describe('the name of the endpoint', () => {
  const name = 'shop.example';
  beforeEach(() => {
    vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: object, callback: Resolved) =>
      callback(null, [{ address: '127.0.0.1', family: 4 }])) as unknown as typeof dns.lookup);
  });
  afterEach(() => void vi.restoreAllMocks());

  test('that resolves to loopback alone is not connected to', async () => {
    const { url, received } = await receive((response) => response.end());
    const { port } = new URL(url);
    const ended = await endpointOf(`https://${name}:${port}`).post(event);
    expect(ended).toEqual({ result: 'failed', reason: 'address_not_allowed' });
    expect(received).toHaveLength(0);
  });

  test('that resolves to loopback is connected to if private addresses are allowed', async () => {
    const { url, received } = await receive((response) => response.end());
    const { port } = new URL(url);
    const endpoint = endpointOf(`http://${name}:${port}`, { allowPrivate: true });
    expect(await endpoint.post(event)).toEqual({ result: 'taken' });
    expect(received).toHaveLength(1);
  });

  test('is resolved by the proxy if there is one, whose refusal is the reason', async () => {
    const proxy = await startConnectProxy();
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    proxy.answer(proxyAnswers.status(403));
    const options = { proxy: { url: proxy.url, except: '' } };
    const ended = await endpointOf(`https://${name}/hooks/hidden`, options).post(event);
    expect(ended).toEqual({ result: 'failed', reason: 'proxy_refused' });
    expect(proxy.tunnels.map(({ authority }) => authority)).toEqual([`${name}:443`]);
    expect(vi.mocked(dns.lookup).mock.calls.filter(([asked]) => asked === name)).toEqual([]);
  });

  test('is resolved and checked here if NO_PROXY names it', async () => {
    const proxy = await startConnectProxy();
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const options = { proxy: { url: proxy.url, except: name } };
    const ended = await endpointOf(`https://${name}/hooks`, options).post(event);
    expect(ended).toEqual({ result: 'failed', reason: 'address_not_allowed' });
    expect(proxy.tunnels).toEqual([]);
  });

  test('`localhost` is connected to in any case', async () => {
    const { url } = await receive((response) => response.end());
    const endpoint = endpointOf(url.replace('127.0.0.1', 'localhost'));
    expect(await endpoint.post(event)).toEqual({ result: 'taken' });
  });
});

function endless(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
  const more = () => {
    while (socket.writable && socket.write(`4000\r\n${' '.repeat(16 * 1024)}\r\n`));
  };
  socket.on('drain', more);
  more();
}
