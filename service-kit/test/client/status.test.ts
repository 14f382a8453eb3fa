import { once } from 'node:events';
import net, { type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConnectError } from '../../src/client/connect-error.ts';
import { createHttpClient, type HttpClientOptions } from '../../src/client/http-client.ts';

/** Long enough for an answer over loopback on a busy machine. */
const ample = 10_000;
/** The deadline in tests that wait until it has passed. */
const short = 100;

/** A client of a TCP server, which answers each request by this function. */
async function clientOf(
  answer: (socket: Socket) => void,
  { host = '127.0.0.1', ...options }: Partial<HttpClientOptions> & { host?: string } = {},
) {
  const open = new Set<Socket>();
  const requests: string[] = [];
  let opened = 0;
  const server = net.createServer((socket) => {
    opened += 1;
    open.add(socket.on('close', () => open.delete(socket)).on('error', () => {}));
    let request = '';
    socket.on('data', (data) => {
      request += data;
      if (!request.endsWith('{}')) return; // the body is another packet
      requests.push(request);
      request = '';
      answer(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://${host}:${port}`;
  const client = createHttpClient({ url, timeoutMs: ample, maxConcurrency: 4, ...options });
  onTestFinished(async () => {
    await client.close();
    server.close();
    for (const socket of open) socket.destroy();
  });
  const request = { method: 'POST', path: '/', body: '{}' } as const;
  return {
    ask: () => client.callForStatus(request),
    call: () => client.call(request),
    close: () => client.close(),
    requests,
    opened: () => opened,
  };
}

const head = (status: number, length: number | string, more = '') =>
  `HTTP/1.1 ${status} Odd\r\ncontent-length: ${length}\r\n${more}`;
const chunked = (status: number) => `HTTP/1.1 ${status} Odd\r\ntransfer-encoding: chunked\r\n\r\n`;

function endless(socket: Socket): void {
  const more = () => {
    while (socket.writable && socket.write(`4000\r\n${' '.repeat(16 * 1024)}\r\n`));
  };
  socket.on('drain', more);
  more();
}

type Cut = [how: string, answer: (status: number) => (socket: Socket) => void, timeoutMs?: number];
const cuts: Cut[] = [
  ['of 2 MB', (status) => (socket) => socket.write(`${head(status, 2e6)}\r\n${' '.repeat(2e6)}`)],
  ['of 20 000 chunks', (status) => (socket) => socket.write(chunked(status) + '1\r\n \r\n'.repeat(20_000))],
  [
    'that never ends',
    (status) => (socket) => {
      socket.write(chunked(status));
      endless(socket);
    },
  ],
  ['that breaks off', (status) => (socket) => socket.end(`${head(status, 500)}\r\nabc`)],
  ['with a chunk that is none', (status) => (socket) => socket.write(`${chunked(status)}xyz\r\n`)],
  ['that stalls', (status) => (socket) => socket.write(`${head(status, 500)}\r\nabc`), short],
  ['that does not come', (status) => (socket) => socket.write(`${head(status, 500)}\r\n`), short],
];

describe('a call for the status', () => {
  describe.each(cuts)('given an answer with a body %s', (_how, answer, timeoutMs = ample) => {
    test.each([200, 204, 302, 410, 503])('returns the status %i', { timeout: ample / 2 }, async (status) => {
      const { ask } = await clientOf(answer(status), { timeoutMs });
      expect(await ask()).toEqual({ status, retryAfter: undefined });
    });
  });

  test('given a whole answer, returns its status and its Retry-After, and uses its connection again', async () => {
    const { ask, opened } = await clientOf((socket) =>
      socket.write(`${head(503, 2, 'retry-after: 7\r\n')}\r\nno`),
    );
    expect(await ask()).toEqual({ status: 503, retryAfter: '7' });
    await nextTurn(); // the connection is free by then
    expect(await ask()).toEqual({ status: 503, retryAfter: '7' });
    expect(opened()).toBe(1);
  });

  test('given a redirect, does not follow it', async () => {
    const { ask, requests } = await clientOf((socket) =>
      socket.write(`${head(307, 0, 'location: /\r\n')}\r\n`),
    );
    expect(await ask()).toMatchObject({ status: 307 });
    expect(requests).toHaveLength(1);
  });

  test('that is ended by a close within the body returns the status', async () => {
    const { ask, close } = await clientOf((socket) => {
      socket.write(`${head(200, 500)}\r\nabc`);
      setTimeout(close, 50);
    });
    expect(await ask()).toEqual({ status: 200, retryAfter: undefined });
  });

  test.each<[what: string, answer: (socket: Socket) => void, reason: string]>([
    [
      'headers without end',
      (socket) => socket.write(`${head(200, 2)}x: ${'x'.repeat(100_000)}`),
      'answer_too_long',
    ],
    ['no HTTP', (socket) => socket.write('hello, this is no HTTP\r\n\r\n'), 'unreadable_answer'],
    ['only a 103', (socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 'deadline_passed'],
    ['nothing', () => {}, 'deadline_passed'],
    ['a closed connection', (socket) => socket.destroy(), 'connection_lost'],
  ])('given %s, returns why there is none', async (_what, answer, reason) => {
    const { ask } = await clientOf(answer, { timeoutMs: reason === 'deadline_passed' ? short : ample });
    expect(await ask()).toEqual({ status: undefined, reason });
  });

  test('given that nothing listens, returns that the connection was refused', async () => {
    const client = createHttpClient({ url: 'http://127.0.0.1:1', timeoutMs: ample, maxConcurrency: 1 });
    onTestFinished(() => client.close());
    const answer = await client.callForStatus({ method: 'POST', path: '/' });
    expect(answer).toEqual({ status: undefined, reason: 'connection_refused' });
  });
});

describe('the limit of a body', () => {
  const ofLength = (length: number) => (socket: Socket) =>
    socket.write(`${head(200, length)}\r\n${' '.repeat(length)}`);

  test('lets a body of just this length through, and none that is a byte longer', async () => {
    const longestBody = 64 * 1024;
    const whole = await clientOf(ofLength(longestBody), { longestBody });
    expect((await whole.call()).body).toHaveLength(longestBody);
    const longer = await clientOf(ofLength(longestBody + 1), { longestBody });
    await expect(longer.call()).rejects.toThrow();
  });
});

describe('the lookup', () => {
  const answer = (socket: Socket) => socket.end(`${head(204, 0, 'connection: close\r\n')}\r\n`);

  test('resolves the name for each connection, which has the name as its Host', async () => {
    const names: string[] = [];
    const lookup: LookupFunction = (name, _options, callback) => {
      names.push(name);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    const { ask, requests } = await clientOf(answer, { host: 'shop.example', lookup });
    expect([await ask(), await ask()]).toMatchObject([{ status: 204 }, { status: 204 }]);
    expect(names).toEqual(['shop.example', 'shop.example']);
    expect(requests[0]).toMatch(/host: shop\.example:\d+\r\n/i);
  });

  test('that refuses the name is why there is no connection', async () => {
    const lookup: LookupFunction = (_name, _options, callback) =>
      callback(new ConnectError('address_not_allowed', 'no'), []);
    const { ask, opened } = await clientOf(answer, { host: 'shop.example', lookup });
    expect(await ask()).toEqual({ status: undefined, reason: 'address_not_allowed' });
    expect(opened()).toBe(0);
  });
});
