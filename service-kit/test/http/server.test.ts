import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { InjectOptions } from 'fastify';
import { Client } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { httpProblems } from '../../src/http/http-problems.ts';
import { problemContentType, problemMaker, problemSchema } from '../../src/http/problem.ts';
import type { ServerOptions } from '../../src/http/server.ts';
import type { Server } from '../../src/http/types.ts';
import { buildTestServer, connectTo } from './fixture.ts';

const json = { 'content-type': 'application/json' };

describe('problem documents', () => {
  const fields = z.strictObject({ name: z.string(), size: z.strictObject({ cm: z.number() }).optional() });

  async function build(): Promise<Server> {
    const { server } = await buildTestServer();
    server.post('/things', { schema: { body: fields } }, async ({ body }) => body);
    server.get('/things/:id', { schema: { params: z.object({ id: z.string() }) } }, async () => ({}));
    server.get('/search', { schema: { querystring: z.strictObject({ q: z.string() }) } }, async () => ({}));
    return server;
  }

  test.each([
    ['an unknown path', { url: '/nope' }, 404, 'not-found'],
    ['a method that the path does not have', { method: 'DELETE', url: '/things' }, 405, 'method-not-allowed'],
    [
      'such a method with an empty body',
      { method: 'DELETE', url: '/things', headers: json },
      405,
      'method-not-allowed',
    ],
    ['a path that is no URL', { url: '/things/%zz' }, 400, 'malformed-request'],
    ['bad JSON', { method: 'POST', url: '/things', headers: json, payload: '{' }, 400, 'malformed-request'],
    ['an empty body', { method: 'POST', url: '/things', headers: json }, 400, 'invalid-request'],
    ['another media type', post('/things', '<a/>', 'application/xml'), 415, 'unsupported-media-type'],
    ['a broken media type', post('/things', 'a', '%%%'), 415, 'unsupported-media-type'],
    ['a body over the limit', post('/things', '"'.padEnd(65 * 1024)), 413, 'body-too-large'],
    ['a part of a path that is too long', { url: `/things/${'a'.repeat(1100)}` }, 414, 'path-too-long'],
    ['a file that /docs does not have', { url: '/docs/static/nope.js' }, 404, 'not-found'],
    [
      'a range that a file does not have',
      { url: '/docs/static/swagger-ui.css', headers: { range: 'bytes=9999999-' } },
      416,
      'range-not-satisfiable',
    ],
    [
      'a range that is none',
      { url: '/docs/static/swagger-ui.css', headers: { range: 'bytes=x' } },
      416,
      'range-not-satisfiable',
    ],
  ])('%s', async (_name, request, status, name) => {
    const server = await build();
    const response = await server.inject(request as InjectOptions);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(problemSchema.parse(response.json())).toMatchObject({ type: `/problems/${name}`, status });
  });

  test('text/plain', async () => {
    const server = await build();
    const response = await server.inject(post('/things', '{"name":"x"}', 'text/plain'));
    expect(response.statusCode).toBe(415);
  });

  test('given a path parameter of more than 100 characters, the status is not 500', async () => {
    const server = await build();
    const { statusCode } = await server.inject({ url: `/things/${'a'.repeat(101)}` });
    expect(statusCode).toBeLessThan(500);
  });

  test('given a forbidden path below /docs/static, the status is not 500', async () => {
    const server = await build();
    const { statusCode } = await server.inject({ url: '/docs/static/a%00b' });
    expect(statusCode).toBeLessThan(500);
  });

  test.each([
    ['{"name":"x","color":"red"}', [{ path: 'color', message: 'is not a known field' }]],
    ['{"name":"x","__proto__":{"a":1}}', [{ path: '__proto__', message: 'is not a known field' }]],
    [
      '{"name":"x","constructor":{"prototype":1}}',
      [{ path: 'constructor', message: 'is not a known field' }],
    ],
    ['{"name":"x","size":{"cm":1,"in":2}}', [{ path: 'size.in', message: 'is not a known field' }]],
    ['{"name":"x","size":{"cm":"1"}}', [{ path: 'size.cm', message: expect.any(String) }]],
    ['{"size":{}}', ['name', 'size.cm'].map((path) => ({ path, message: expect.any(String) }))],
    ['[]', [{ path: 'body', message: expect.any(String) }]],
    ['null', [{ path: 'body', message: expect.any(String) }]],
  ])('%s: the errors name the fields', async (body, errors) => {
    const server = await build();
    const response = await server.inject(post('/things', body));
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ type: '/problems/invalid-request', errors });
  });

  test('the path of an issue of the query is its parameter', async () => {
    const server = await build();
    const paths = async (url: string) =>
      (await server.inject(url)).json().errors.map(({ path }: { path: string }) => path);
    expect(await paths('/search')).toEqual(['q']);
    expect(await paths('/search?q=1&q=2')).toEqual(['q']);
    expect(await paths('/search?q=1&r=2')).toEqual(['r']);
    expect(await paths('/search?q=1&__proto__=2')).toEqual(['__proto__']);
  });
});

describe('errors of a handler', () => {
  const secret = 'password hunter2';
  const kind = { status: 503, meaning: 'A test.', remedy: 'Nothing.' };
  const problems = {
    ...httpProblems,
    busy: { ...kind, detail: 'Too much to do.', headers: { 'retry-after': '1', allow: 'GET' } },
    'out-of-paper': { ...kind, detail: 'There is no paper.' },
  };
  const testProblem = problemMaker(problems);

  async function fail(error: unknown, options?: Partial<ServerOptions>) {
    const { server, lines } = await buildTestServer({ problems, ...options });
    server.get('/fails', async () => {
      throw error;
    });
    return { response: await server.inject('/fails'), lines };
  }

  test.each([
    ['an error', new Error(secret)],
    ['an error with a status of its own', Object.assign(new Error(secret), { statusCode: 418 })],
    ['a string', secret],
  ])('%s is a 500 without details, and is logged', async (_name, error) => {
    const { response, lines } = await fail(error);
    expect(response.statusCode).toBe(500);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.json().type).toBe('/problems/internal-error');
    expect(response.body).not.toMatch(/hunter2|server\.test|at /);
    expect(lines.join('')).toContain(secret);
  });

  test('a Problem is the response, with its headers and members, and is not logged', async () => {
    const problem = testProblem('busy', { headers: { 'retry-after': '7' }, load: 9 });
    const { response, lines } = await fail(problem);
    expect(response.statusCode).toBe(503);
    expect(response.headers).toMatchObject({ 'retry-after': '7', allow: 'GET' });
    expect(response.json()).toEqual({
      type: '/problems/busy',
      title: 'Service Unavailable',
      status: 503,
      detail: 'Too much to do.',
      load: 9,
    });
    expect(lines).toEqual([]);
  });

  class OutOfPaper extends Error {}
  const translateError = (error: Error) =>
    error instanceof OutOfPaper ? testProblem('out-of-paper') : undefined;

  test("one of the service's own becomes the problem of translateError, and is logged", async () => {
    const { response, lines } = await fail(new OutOfPaper(secret), { translateError });
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ type: '/problems/out-of-paper', detail: 'There is no paper.' });
    expect(response.body).not.toContain('hunter2');
    expect(lines.join('')).toContain(secret);
  });

  test('an error that translateError does not know is a 500', async () => {
    expect((await fail(new Error(secret), { translateError })).response.statusCode).toBe(500);
  });
});

test('a bad request is not logged, because the error may quote the body', async () => {
  const { server, lines } = await buildTestServer();
  server.post('/things', { schema: { body: z.strictObject({}) } }, async () => ({}));
  for (const body of ['{"phone":', '{"phone":"+573001234567"}', '"+573001234567"'])
    expect((await server.inject(post('/things', body))).statusCode).toBe(400);
  expect(lines).toEqual([]);
});

describe('health', () => {
  test('live and ready', async () => {
    const { server } = await buildTestServer();
    expect((await server.inject('/health/live')).json()).toEqual({ status: 'live' });
    expect((await server.inject('/health/ready')).json()).toEqual({ status: 'ready' });
  });

  test('a service that is not ready is live', async () => {
    let well = false;
    const { server, lines } = await buildTestServer({
      ready: async () => {
        if (!well) throw new Error('disk full');
      },
    });
    const response = await server.inject('/health/ready');
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.json().type).toBe('/problems/not-ready');
    expect(response.body).not.toContain('disk full');
    expect(lines.join('')).toContain('disk full');
    expect((await server.inject('/health/live')).statusCode).toBe(200);
    well = true;
    expect((await server.inject('/health/ready')).statusCode).toBe(200);
  });
});

test('HEAD answers as GET does, without the body', async () => {
  const { server } = await buildTestServer();
  const get = await server.inject('/health/live');
  const head = await server.inject({ method: 'HEAD', url: '/health/live' });
  expect(head.statusCode).toBe(200);
  expect(head.headers['content-length']).toBe(get.headers['content-length']);
  expect(head.body).toBe('');
});

test('given a schema without messages, the errors have our messages, not those of the library', async () => {
  const schema = z.strictObject({ text: z.string(), kind: z.enum(['a', 'b']) });
  const messages = (value: unknown) =>
    schema.safeParse(value).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  expect(messages({ kind: 'a' })).toEqual(['text: is required']);
  expect(messages({ text: 1, kind: 'c', more: 1 })).toEqual([
    'text: must be a string',
    'kind: must be one of a, b',
    ': is not a known field',
  ]);
  expect(messages([])).toEqual([': must be an object']);
});

test('the API is documented, with its zod schemas', async () => {
  const { server } = await buildTestServer();
  server.post(
    '/things',
    { schema: { body: z.strictObject({ name: z.string().meta({ example: 'x' }) }) } },
    async () => ({}),
  );
  const document = (await server.inject('/openapi.json')).json();
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Test service', version: '1.2.3' } });
  expect(Object.keys(document.paths).sort()).toEqual([
    '/',
    '/health/live',
    '/health/ready',
    '/problems/{name}',
    '/things',
  ]);
  expect(JSON.stringify(document.paths['/things'])).toContain('"example":"x"');
  expect(document.paths['/'].get.responses['200'].description).toBe('OK');
  const docs = await server.inject('/docs');
  expect(docs.statusCode).toBe(200);
  expect(docs.headers['content-type']).toContain('text/html');
});

describe('stop', () => {
  /** A server with a request that runs until it is released, and a connection on which it runs. */
  async function stopWithRequestUnderWay(options?: Partial<ServerOptions>) {
    const { server } = await buildTestServer(options);
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    server.get('/slow', async () => {
      entered.resolve();
      await release.promise;
      return { filler: 'x'.repeat(100_000) };
    });
    const origin = await server.listen({ host: '127.0.0.1', port: 0 });
    const client = new Client(origin);
    onTestFinished(() => client.destroy());
    const underWay = client.request({ method: 'GET', path: '/slow' });
    await entered.promise;
    /** A keep-alive connection that has had a response, and on which the next request has begun to arrive. */
    const open = await connectTo(server);
    open.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET ');
    await once(open, 'data');
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    // A new connection is refused with a problem for as long as a request runs.
    await vi.waitFor(async () => expect((await fetch(`${origin}/health/ready`)).status).toBe(503));
    const end = async () => {
      release.resolve();
      const { statusCode, headers, body } = await underWay;
      const answer = { statusCode, connection: headers.connection, body: await body.json() };
      await closing;
      return answer;
    };
    return { origin, open, isClosed: () => closed, end };
  }

  test('lets a running request end with its whole response', async () => {
    const { open, isClosed, end } = await stopWithRequestUnderWay();
    open.write('/health/live HTTP/1.1\r\nhost: x\r\n\r\n');
    await text(open);
    expect(isClosed()).toBe(false);
    expect(await end()).toEqual({
      statusCode: 200,
      connection: 'close',
      body: { filler: 'x'.repeat(100_000) },
    });
  });

  test.each([
    '/health/ready',
    '/things',
    '/nope',
  ])('refuses a request for %s on an open connection', async (url) => {
    const { open, end } = await stopWithRequestUnderWay({
      refusalMembers: () => ({ outcome: 'not_sent' }),
    });
    open.write(`${url} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const [head = '', body = ''] = (await text(open)).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 503 /);
    expect(head.toLowerCase().split('\r\n')).toEqual(
      expect.arrayContaining(['retry-after: 1', 'connection: close', `content-type: ${problemContentType}`]),
    );
    expect(JSON.parse(body)).toMatchObject({
      type: '/problems/stopping',
      status: 503,
      outcome: 'not_sent',
    });
    await end();
  });

  test('refuses new connections until the last request has ended; then it does not listen', async () => {
    const { origin, open, end } = await stopWithRequestUnderWay();
    open.destroy();
    const response = await fetch(`${origin}/things`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({ type: '/problems/stopping' });
    await end();
    await expect(fetch(`${origin}/things`)).rejects.toThrow('fetch failed');
  });

  test('does not wait for the response to a client that has disconnected', async () => {
    const { server } = await buildTestServer();
    const entered = Promise.withResolvers<void>();
    server.get('/never', () => {
      entered.resolve();
      return new Promise(() => {});
    });
    const socket = await connectTo(server);
    socket.write('GET /never HTTP/1.1\r\nhost: x\r\n\r\n');
    await entered.promise;
    socket.destroy();
    await server.close();
  });

  test('leaves /health/live answering', async () => {
    const { open, end } = await stopWithRequestUnderWay();
    open.write('/health/live HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await text(open)).toMatch(/^HTTP\/1\.1 200 .*{"status":"live"}$/s);
    await end();
  });

  test('answers what idle connections still send, closes each with its answer, and resets none', async () => {
    const { server } = await buildTestServer();
    const origin = await server.listen({ host: '127.0.0.1', port: 0 });
    const count = 50;
    const connected = new Set<Agent>();
    const work = async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      for (;;) {
        const [response] = await once(get(`${origin}/health/ready`, { agent }), 'response');
        await text(response);
        connected.add(agent);
        if (response.headers.connection === 'close') return response.statusCode;
        await delay(Math.random() * 30);
      }
    };
    const clients = Array.from({ length: count }, work);
    await vi.waitFor(() => expect(connected.size).toBe(count), { timeout: 5000 });
    await server.close();
    expect(new Set(await Promise.all(clients))).toEqual(new Set([503]));
  });

  test('given two pipelined requests under way, sends both responses and closes with the last', async () => {
    const { server } = await buildTestServer();
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    let count = 0;
    server.get('/slow', async () => {
      count += 1;
      if (count === 2) entered.resolve();
      await release.promise;
      return { count };
    });
    const socket = await connectTo(server);
    const request = 'GET /slow HTTP/1.1\r\nhost: x\r\n\r\n';
    socket.write(request + request);
    await entered.promise;
    const closing = server.close();
    await vi.waitFor(() => expect(server.stopping.aborted).toBe(true));
    release.resolve();
    const [first = '', second = ''] = (await text(socket)).split(/(?<=\})(?=HTTP)/);
    await closing;
    expect([first, second].map((response) => response.slice(0, 12))).toEqual(Array(2).fill('HTTP/1.1 200'));
    expect(first.toLowerCase()).not.toContain('connection: close');
    expect(second.toLowerCase()).toContain('connection: close');
  });

  test('is delayed neither by idle connections nor by one without a request', async () => {
    const { server } = await buildTestServer();
    const silent = await connectTo(server);
    const idle = await connectTo(server);
    idle.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(idle, 'data'); // and the server has seen the silent one too, which came first
    const hungUp = Promise.all([once(silent.resume(), 'close'), once(idle.resume(), 'close')]);
    await server.close();
    await hungUp;
  });
});

function post(url: string, payload: string, type = 'application/json') {
  return { method: 'POST', url, headers: { 'content-type': type }, payload } as const;
}
