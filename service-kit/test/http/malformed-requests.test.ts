import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Server } from '../../src/http/types.ts';
import { buildTestServer, exchange, readProblem } from './fixture.ts';

/** A server that echoes what it has read. */
async function build(): Promise<Server> {
  const { server } = await buildTestServer({ publicHosts: ['x.example'] });
  server.get(
    '/things/:id',
    {
      schema: {
        params: z.object({ id: z.string() }),
        querystring: z.strictObject({ q: z.string().optional() }),
      },
    },
    async ({ params, query }) => ({ ...params, ...query }),
  );
  server.post('/things', { schema: { body: z.strictObject({}) } }, async () => ({}));
  server.post('/hook', { config: { acceptsAnyQuery: true } }, async ({ url }) => ({ url }));
  return server;
}

const get = (target: string) => `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;

describe('a target', () => {
  test.each([
    ['a byte that is no UTF-8 in the path', '/things/%FF'],
    ['the same in the query', '/things/a?q=%FF'],
    ['half a character in the query', '/things/a?q=%C3'],
    ['a surrogate in the query', '/things/a?q=%ED%A0%80'],
    ['an overlong form in the query', '/things/a?q=%C0%AF'],
    ['the same in a name', '/things/a?%C0%AF=1'],
    ['a broken escape in the path', '/things/%zz'],
    ['a broken escape in the query', '/things/a?q=%zz'],
    ['half an escape at the end', '/things/a?q=%2'],
    ['a percent sign alone', '/things/a?q=%'],
    ['raw bytes of UTF-8 in the path', '/things/\xc3\xb1'],
    ['raw bytes of UTF-8 in the query', '/things/a?q=\xc3\xb1'],
    ['a raw byte of ISO-8859-1', '/things/a?q=\xf1'],
    ['a fragment', '/things/a#b'],
    ['no path', '*'],
    ['another scheme', 'ftp://x/things/a'],
    ['userinfo', 'http://u@x/things/a'],
    ['another host than the Host', 'http://y/things/a'],
    ['nothing but a name', 'things'],
  ])('with %s is a 400', async (_name, target) => {
    expect(readProblem(await exchange(await build(), get(target)))).toMatchObject({
      type: '/problems/malformed-request',
      status: 400,
    });
  });

  test.each([
    ['/things/%C3%B1?q=%F0%9F%98%80', { id: 'ñ', q: '😀' }],
    ['/things/a%2Fb%25?q=%25FF+%EF%BF%BD', { id: 'a/b%', q: '%FF \ufffd' }],
    ['/things/a|b?q="[]', { id: 'a|b', q: '"[]' }],
    ['http://x/things/a?q=1', { id: 'a', q: '1' }],
    ['http://X/things/a', { id: 'a' }],
  ])('%s is read as it is', async (target, read) => {
    const response = await exchange(await build(), get(target));
    expect(response).toMatch(/^HTTP\/1\.1 200 /);
    expect(JSON.parse(response.split('\r\n\r\n')[1] ?? '')).toEqual(read);
  });

  test('* in OPTIONS is a problem document, and no method of a path', async () => {
    const request = 'OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    expect(readProblem(await exchange(await build(), request))).toMatchObject({ status: 404 });
  });

  test('of a route that accepts any query is not decoded', async () => {
    const request = 'POST /hook?a=%FF&b=%zz&c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    expect(await exchange(await build(), request)).toContain('{"url":"/hook?a=%FF&b=%zz&c"}');
  });
});

describe('the Host', () => {
  const request = (lines: string, version = '1.1') =>
    `GET /health/live HTTP/${version}\r\n${lines}connection: close\r\n\r\n`;

  test.each([
    ['is missing', ''],
    ['is empty', 'host:\r\n'],
    ['comes twice', 'host: x\r\nhost: y\r\n'],
    ['comes twice and is the same', 'host: x\r\nHost: x\r\n'],
    ['is a list', 'host: x, y\r\n'],
    ['has a space', 'host: x y\r\n'],
    ['has userinfo', 'host: u@x\r\n'],
    ['has a path', 'host: x/y\r\n'],
    ['has bytes beyond ASCII', 'host: \xc3\xb1\r\n'],
    ['has no port after two colons', 'host: x:1:2\r\n'],
    ['has a port of letters', 'host: x:http\r\n'],
  ])('that %s is a 400', async (_name, lines) => {
    expect(readProblem(await exchange(await build(), request(lines)))).toMatchObject({
      type: '/problems/malformed-request',
      detail: expect.stringContaining('Host'),
    });
  });

  test.each([
    'x',
    'X.example:8000',
    '127.0.0.1:80',
    '[::1]:8000',
    'my_service',
    'x:',
  ])('%s is read', async (host) => {
    expect(await exchange(await build(), request(`host: ${host}\r\n`))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('is not needed in HTTP/1.0, which has none', async () => {
    expect(await exchange(await build(), request('', '1.0'))).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('two lines of a field', () => {
  const request = (lines: string) =>
    `POST /things HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n${lines}\r\n{}`;
  const type = 'content-type: application/json\r\n';

  test.each([
    ['Content-Type', `${type}Content-Type: text/plain\r\n`],
    ['Content-Type, and are the same', `${type}${type}`],
    ['Authorization', `${type}authorization: Bearer a\r\nauthorization: Bearer b\r\n`],
    ['Authorization, and one is empty', `${type}authorization:\r\nauthorization: Bearer b\r\n`],
    ['Idempotency-Key', `${type}idempotency-key: a\r\nidempotency-key: b\r\n`],
    ['Idempotency-Key, and make one quoted key', `${type}idempotency-key: "a\r\nIdempotency-Key: b"\r\n`],
    ['Content-Length', `${type}content-length: 2\r\n`],
  ])('that are %s are a 400', async (_name, lines) => {
    expect(readProblem(await exchange(await build(), request(lines)))).toMatchObject({
      type: '/problems/malformed-request',
      status: 400,
    });
  });

  test('that form a list, or one line with a comma, are read', async () => {
    const lines = `${type.replace('\r\n', '; a="b, c"\r\n')}accept: a/b\r\naccept: */*\r\nidempotency-key: "a, b"\r\n`;
    expect(await exchange(await build(), request(lines))).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('an expectation', () => {
  const request = (expectation: string) =>
    `POST /things HTTP/1.1\r\nhost: x\r\nexpect: ${expectation}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n`;

  test.each(['foo', '200-ok', ''])('of %j is a 417, and the connection is closed', async (expectation) => {
    const problem = readProblem(await exchange(await build(), request(expectation)));
    expect(problem).toMatchObject({ status: 417, type: '/problems/expectation-failed' });
    expect(problem.headers).toMatchObject({ connection: 'close', 'x-request-id': expect.any(String) });
  });

  test('of 100-continue is met', async () => {
    const sent = request('100-Continue').replace('host', 'connection: close\r\nhost');
    expect(await exchange(await build(), `${sent}{}`)).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
    );
  });
});

describe('a transfer coding', () => {
  const request = (coding: string) =>
    `POST /things HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: ${coding}\r\ncontent-type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n`;

  test.each(['gzip, chunked', 'gzip', 'chunked, chunked', 'identity'])('of %s is a 400', async (coding) => {
    expect(readProblem(await exchange(await build(), request(coding)))).toMatchObject({ status: 400 });
  });

  test('of Chunked is read', async () => {
    expect(await exchange(await build(), request('Chunked'))).toMatch(/^HTTP\/1\.1 200 /);
  });
});

test.each([
  ['websocket', 'connection: upgrade, close\r\nupgrade: websocket\r\n'],
  [
    'HTTP/2',
    'connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n',
  ],
])('given an upgrade to %s, is answered in HTTP/1.1, and its body is read', async (_name, lines) => {
  const request = (body: string) =>
    `POST /things HTTP/1.1\r\nhost: x\r\n${lines}content-type: application/json\r\ncontent-length: 2\r\n\r\n${body}`;
  const server = await build();
  expect(await exchange(server, request('{}'))).toMatch(/^HTTP\/1\.1 200 /);
  expect(readProblem(await exchange(server, request('[]')))).toMatchObject({ status: 400 });
});
