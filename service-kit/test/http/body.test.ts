import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { problemContentType } from '../../src/http/problem.ts';
import { buildTestServer } from './fixture.ts';

const fields = z.strictObject({ name: z.string(), more: z.json().optional() });
const json = '{"name":"ñ €"}';

async function post(payload: string | Buffer, headers: Record<string, string> = {}) {
  const { server } = await buildTestServer();
  const seen: unknown[] = [];
  server.post('/things', { schema: { body: fields } }, async ({ body }) => {
    seen.push(body);
    return body;
  });
  const response = await server.inject({
    method: 'POST',
    url: '/things',
    headers: { 'content-type': 'application/json', ...headers },
    payload,
  });
  if (response.statusCode >= 400) {
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(seen).toEqual([]);
  }
  return response;
}

describe('the bytes of a body', () => {
  test.each([
    ['a byte of ISO-8859-1', '6e6ff1'],
    ['the start of a character', 'c3'],
    ['a surrogate', 'eda080'],
    ['an overlong form', 'c0af'],
    ['more than U+10FFFF', 'f4908080'],
    ['bytes of UTF-16', 'fffe6100'],
  ])('given %s in a string, are refused', async (_name, bytes) => {
    const payload = Buffer.concat([Buffer.from('{"name":"'), Buffer.from(bytes, 'hex'), Buffer.from('"}')]);
    const response = await post(payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      type: '/problems/malformed-request',
      detail: expect.stringContaining('UTF-8'),
    });
  });

  test('given characters of one to four bytes and U+FFFD itself, are read as they are', async () => {
    const name = 'a ñ € 😀 \ufffd';
    expect((await post(JSON.stringify({ name }))).json()).toEqual({ name });
  });

  test('given a byte order mark, are refused with a detail that names it', async () => {
    const response = await post(`\ufeff${json}`);
    expect([response.statusCode, response.json().detail]).toEqual([
      400,
      'The body begins with a byte order mark, which is not allowed.',
    ]);
  });
});

describe('the charset of a body', () => {
  test.each([
    'application/json;charset=utf-8',
    'application/json; charset=UTF-8',
    'application/json; Charset="utf-8"',
    'application/json; charset=utf8',
    'application/json; charset=us-ascii',
    'application/json; profile="charset"',
  ])('given %s, is read', async (type) => {
    const response = await post(json, { 'content-type': type });
    expect([response.statusCode, response.json()]).toEqual([200, JSON.parse(json)]);
  });

  test.each([
    'application/json; charset=iso-8859-1',
    'application/json; charset="ISO-8859-1"',
    'application/json;CHARSET=windows-1252',
    'application/json; charset=utf-16le',
    'application/json; charset=utf-8; charset=latin1',
    'application/json; charset=',
    'application/json; charset="utf-8',
  ])('given %s, is a 415', async (type) => {
    const response = await post(json, { 'content-type': type });
    expect(response.statusCode).toBe(415);
    expect(response.json().type).toBe('/problems/unsupported-media-type');
  });
});

describe('the Content-Encoding of a body', () => {
  test.each([
    'gzip',
    'br',
    'GZIP',
    'identity, gzip',
    'deflate',
    'x-identity',
  ])('given %s, is a 415', async (encoding) => {
    const response = await post(json, { 'content-encoding': encoding });
    expect(response.statusCode).toBe(415);
    expect(response.headers['accept-encoding']).toBe('identity');
    expect(response.json().detail).toBe('Send the body without Content-Encoding.');
  });

  test.each(['identity', 'Identity', ''])('given %j, is read', async (encoding) => {
    expect((await post(json, { 'content-encoding': encoding })).statusCode).toBe(200);
  });
});

describe('the names of a body', () => {
  test.each([
    ['{"name":"a","name":"b"}', 'The body has the name "name" twice in one object.'],
    ['{"name":"a","n\\u0061me":"b"}', 'The body has the name "name" twice in one object.'],
    ['{"name":"a","more":[{"x":{"y":1,"y":1}}]}', 'The body has the name "y" twice in one object.'],
    ['{"name":"a","__proto__":1,"__proto__":2}', 'The body has the name "__proto__" twice in one object.'],
    ['{"name":"a","+57 300":1,"+57 300":1}', 'The body has a name twice in one object.'],
  ])('given %s, are refused', async (payload, detail) => {
    const response = await post(payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ type: '/problems/malformed-request', detail });
  });

  test('given the same name in several objects, are read', async () => {
    expect((await post('{"name":"name","more":[{"name":1},{"name":{"name":2}}]}')).statusCode).toBe(200);
  });
});

test.each([
  'application/x-www-form-urlencoded',
  'text/plain; charset=latin1',
])('given a body of no bytes and the type %s, there is no body', async (type) => {
  const { server } = await buildTestServer();
  server.post('/reset', async ({ body }) => ({ body: body ?? null }));
  const reset = (payload: string) =>
    server.inject({ method: 'POST', url: '/reset', headers: { 'content-type': type }, payload });
  const none = await reset('');
  expect([none.statusCode, none.json()]).toEqual([200, { body: null }]);
  expect((await reset('x')).statusCode).toBe(415);
});

test.each(['[', '{"a":'])('given a body that nests %s thousands deep, is a 400', async (open) => {
  const close = open === '[' ? ']' : '}';
  const count = Math.floor(60_000 / (open.length + 1));
  const response = await post(`${open.repeat(count)}1${close.repeat(count)}`);
  expect(response.statusCode).toBe(400);
});
