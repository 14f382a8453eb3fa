import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { Server } from '../../src/http/types.ts';
import { buildTestServer, connectTo, exchange, readProblem } from './fixture.ts';

const get = (target: string) => `GET ${target} HTTP/1.1\r\nhost: x\r\n\r\n`;
const post = 'POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

/** A server whose route waits until it is released. */
async function build() {
  const { server, lines } = await buildTestServer();
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  server.get('/slow', async () => {
    entered.resolve();
    await release.promise;
    return { status: 'slow' };
  });
  server.post('/things', { schema: { body: z.strictObject({}) } }, async () => ({}));
  server.get('/stream', async (_request, reply) =>
    reply.type('text/event-stream').send(
      Readable.from(
        (async function* () {
          entered.resolve();
          for (;;) {
            yield 'data: 1\n\n';
            await delay(20);
          }
        })(),
      ),
    ),
  );
  return { server, lines, entered: entered.promise, release: release.resolve };
}

/** Whatever is above debug and is no start of the server. */
const loggedBy = (lines: string[]) => lines.filter((line) => JSON.parse(line).level > 30);

const statusesOf = async (server: Server, route: string) =>
  [...(await server.inject('/metrics')).body.matchAll(/_count\{.*route="([^"]*)",status_code="(\d+)"/g)]
    .filter(([, of]) => of === route)
    .map(([, , status]) => status);

describe('input that is not an HTTP request', () => {
  test.each([
    ['garbage', 'hello\r\n\r\n', 400, 'malformed-request'],
    ['an unknown method', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'malformed-request'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed-request'],
    ['HTTP/0.9', 'GET /\r\n\r\n', 400, 'malformed-request'],
    ['the start of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'malformed-request'],
    ['CONNECT', 'CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n', 405, 'method-not-allowed'],
    [
      'two lengths, which a proxy may read in another way',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
      400,
      'malformed-request',
    ],
    [
      'oversized headers',
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
  ])('given %s, is answered with a problem, and the connection is closed', async (_name, request, status, name) => {
    const { server } = await build();
    const problem = readProblem(await exchange(server, request));
    expect(problem).toMatchObject({ type: `/problems/${name}`, status });
    if (_name !== 'HTTP/0.9') expect(problem.headers).toMatchObject({ connection: 'close' });
    if (status === 405) expect(problem.headers).toMatchObject({ allow: '' });
  });

  test.each([
    ['garbage', 'hello\r\n\r\n', 400],
    ['garbage in pieces', 'hello', 400],
    ['CONNECT', 'CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n', 405],
    ['a request with a body that is wrong', `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`, 400],
  ])('given %s after a request that is handled, its response comes first', async (_name, bytes, status) => {
    const { server, entered, release } = await build();
    const socket = await connectTo(server);
    socket.write(get('/slow'));
    await entered;
    socket.write(bytes);
    await delay(20);
    if (bytes === 'hello') socket.write(bytes);
    await delay(20);
    release();
    const [first = '', second = '', ...others] = (await text(socket)).split(/(?=HTTP\/1\.1 )/);
    expect(first).toMatch(/^HTTP\/1\.1 200 .*\{"status":"slow"\}$/s);
    expect(readProblem(second)).toMatchObject({ status });
    expect(others).toEqual([]);
  });

  test('given garbage after targets that are refused, behind a request that is handled, all their responses come first', async () => {
    const { server, entered, release } = await build();
    const socket = await connectTo(server);
    socket.write(get('/slow'));
    await entered;
    socket.write(get('/things/%zz').repeat(2));
    await delay(20);
    socket.write('hello\r\n\r\n');
    await delay(20);
    release();
    const answers = await text(socket);
    expect(answers.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['200', '400', '400', '400']);
  });

  test('given a client that disconnects during its request, does not disturb others', async () => {
    const { server } = await build();
    const socket = await connectTo(server);
    const gone = once(server.server, 'clientError');
    socket.write('GET / HTTP/1.1\r\nhost:');
    socket.resetAndDestroy();
    await gone;
    expect((await server.inject('/health/live')).statusCode).toBe(200);
  });
});

describe('a body that does not arrive', () => {
  test.each([
    ['a wrong chunk', 'transfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['a wrong chunk after a right one', 'transfer-encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n'],
  ])('given %s, is a 400 of its request, and is not logged', async (_name, rest) => {
    const { server, lines } = await build();
    expect(readProblem(await exchange(server, post + rest))).toMatchObject({ status: 400 });
    expect(loggedBy(lines)).toEqual([]);
    expect(await statusesOf(server, '/things')).toEqual(['400']);
  });

  test('given a wrong chunk while a hook still runs, is a 400 of its request', async () => {
    const { server } = await build();
    server.addHook('onRequest', () => delay(20));
    const rest = 'transfer-encoding: chunked\r\n\r\nzz\r\n';
    expect(readProblem(await exchange(server, post + rest))).toMatchObject({ status: 400 });
  });

  test('given a client that hangs up within a body, behind a stream that is silent, its connection is closed', async () => {
    const { server } = await build();
    const silent = async function* () {
      yield 'data: 1\n\n';
      await new Promise(() => {});
    };
    server.get('/silent', async (_request, reply) =>
      reply.type('text/event-stream').send(Readable.from(silent())),
    );
    const opened = once(server.server, 'connection');
    const socket = await connectTo(server);
    const [served] = await opened;
    const closed = once(served, 'close');
    socket.write(`${get('/silent')}${post}content-length: 500\r\n\r\n{`);
    await once(socket, 'data');
    socket.destroy();
    await closed;
  });

  test('given a client that goes on sending after its refusal, its connection is closed', async () => {
    const { server } = await build();
    const socket = await connectTo(server);
    socket.allowHalfOpen = true;
    socket.on('error', () => {}); // a reset ends it
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('hello\r\n\r\n');
    const timer = setInterval(() => socket.write('more'), 100);
    socket.resume();
    await closed;
    clearInterval(timer);
  });

  test.each([
    ['is half closed', (socket: Socket) => void socket.end()],
    ['is reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['is closed', (socket: Socket) => void socket.destroy()],
  ])('given a connection that %s in it, is not logged, and counts as no error of the server', async (_name, leave) => {
    const { server, lines } = await build();
    const socket = await connectTo(server);
    const received = once(server.server, 'request');
    socket.write(`${post}content-length: 100\r\n\r\n{`);
    await received;
    leave(socket);
    await vi.waitFor(async () => expect(await statusesOf(server, '/things')).toHaveLength(1));
    expect(await statusesOf(server, '/things')).toEqual([expect.stringMatching(/^4/)]);
    expect(loggedBy(lines)).toEqual([]);
  });

  test('given a stop that cuts it off, is not logged', async () => {
    const { server, lines } = await build();
    const socket = await connectTo(server);
    const received = once(server.server, 'request');
    socket.write(`${post}content-length: 100\r\n\r\n{`);
    await received;
    const closing = server.close();
    server.server.closeAllConnections();
    await closing;
    expect(loggedBy(lines)).toEqual([]);
  });

  test('given a stall, is a 408 of its request, which is counted as one and not logged', async () => {
    const { server, lines } = await build();
    const socket = await connectTo(server);
    const received = once(server.server, 'request');
    socket.write(`${post}content-length: 100\r\n\r\n{`);
    const [request] = await received;
    timeOut(server, request.socket);
    const problem = readProblem(await text(socket));
    expect(problem).toMatchObject({ status: 408, type: '/problems/request-timeout' });
    expect(problem.headers).toMatchObject({ connection: 'close', 'x-request-id': expect.any(String) });
    expect(await statusesOf(server, '/things')).toEqual(['408']);
    expect(loggedBy(lines)).toEqual([]);
  });

  test('given a stall of a body that is not read, the response is not disturbed', async () => {
    const { server, lines, entered, release } = await build();
    const socket = await connectTo(server);
    const received = once(server.server, 'request');
    socket.write(get('/slow').replace('\r\n\r\n', '\r\ncontent-length: 100\r\n\r\n{'));
    const [request] = await received;
    await entered;
    timeOut(server, request.socket);
    release();
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*\{"status":"slow"\}$/s);
    expect(loggedBy(lines)).toEqual([]);
  });
});

/** As Node.js does after `requestTimeout`. */
function timeOut(server: Server, socket: Socket): void {
  const timedOut = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
  server.server.emit('clientError', timedOut, socket);
}

describe('a response that the client does not await', () => {
  test.each([
    '/slow',
    '/stream',
  ])('given a client that resets during GET %s, is not logged, and counts as 499', async (url) => {
    const { server, lines, entered, release } = await build();
    const socket = await connectTo(server);
    socket.write(get(url));
    await entered;
    socket.resetAndDestroy();
    await vi.waitFor(async () => expect(await statusesOf(server, url)).toEqual(['499']));
    release();
    await delay(20);
    expect(loggedBy(lines)).toEqual([]);
    expect(await statusesOf(server, url)).toEqual(['499']);
  });
});

test('given a defect of ours while the client has gone, is logged', async () => {
  const { server, lines } = await build();
  const release = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  server.get('/fails', async () => {
    entered.resolve();
    await release.promise;
    throw new Error('a defect');
  });
  const socket = await connectTo(server);
  socket.write(get('/fails'));
  await entered.promise;
  socket.resetAndDestroy();
  await vi.waitFor(async () => expect(await statusesOf(server, '/fails')).toEqual(['499']));
  release.resolve();
  await vi.waitFor(() => expect(loggedBy(lines).join('')).toContain('a defect'));
});

describe('a request that is pipelined behind one that is refused', () => {
  const pipelined = (...heads: string[]) =>
    heads
      .map((head) => `POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${head}`)
      .join('');
  const right = 'content-length: 2\r\n\r\n{}';
  const last = `connection: close\r\n${right}`;

  async function countHandled(bytes: string) {
    const { server } = await buildTestServer();
    let handled = 0;
    server.post('/things', { schema: { body: z.strictObject({}) } }, async () => {
      handled += 1;
      return {};
    });
    const answers = await exchange(server, bytes);
    await server.close();
    return {
      handled,
      statuses: Array.from(answers.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => Number(status)),
    };
  }

  test.each([
    ['is not JSON', 'content-length: 1\r\n\r\n{', 400],
    ['is not UTF-8', 'content-length: 3\r\n\r\n"\xff"', 400],
    ['has an unknown field', 'content-length: 7\r\n\r\n{"a":1}', 400],
    ['is compressed', `content-encoding: gzip\r\n${right}`, 415],
  ])('for a body that %s, is answered as well', async (_name, wrong, status) => {
    expect(await countHandled(pipelined(wrong, last))).toEqual({ handled: 1, statuses: [status, 200] });
  });

  test.each([
    ['an expectation', `expect: foo\r\n${right}`, 417],
    ['a body over the limit', `content-length: 70000\r\n\r\n${' '.repeat(70_000)}`, 413],
  ])('for %s, which closes the connection, is not carried out', async (_name, wrong, status) => {
    expect(await countHandled(pipelined(wrong, last))).toEqual({ handled: 0, statuses: [status] });
  });
});
