import { createServer, type IncomingHttpHeaders } from 'node:http';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { parseJson } from '../../src/client/answer.ts';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';

const text = JSON.stringify({ mensaje: 'Recibido ✓' });

/** A client of a server that answers with this body. */
async function clientOf(body: Buffer | string, headers: Record<string, string> = {}) {
  const received: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    received.push(request.headers);
    response.writeHead(200, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const client = createHttpClient({ url: `http://127.0.0.1:${port}`, timeoutMs: 10_000, maxConcurrency: 1 });
  onTestFinished(async () => {
    await client.close();
    server.close().closeAllConnections();
  });
  return { client, received };
}

const bodyOf = async (client: HttpClient) => (await client.call({ method: 'GET', path: '/' })).body;

test('a request asks for no encoding, and says who makes it', async () => {
  const { client, received } = await clientOf(text);
  await client.call({ method: 'GET', path: '/' });
  expect(received).toMatchObject([
    { 'accept-encoding': 'identity', 'user-agent': `payments-with-sms/${packageJson.version}` },
  ]);
});

describe('an answer that is encoded all the same', () => {
  test.each([
    ['gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['identity', Buffer.from(text)],
  ])('with %s, is read', async (encoding, body) => {
    const { client } = await clientOf(body, { 'content-encoding': encoding });
    expect(await bodyOf(client)).toBe(text);
  });

  test('with gzip, is read up to 1 MiB', async () => {
    const longest = 'x'.repeat(1024 * 1024);
    const { client } = await clientOf(gzipSync(longest), { 'content-encoding': 'gzip' });
    expect(await bodyOf(client)).toBe(longest);
  });

  test.each([
    ['without its last byte', 'gzip', gzipSync(text).subarray(0, -1)],
    ['without its checksum', 'gzip', gzipSync(text).subarray(0, -8)],
    ['with a wrong checksum', 'gzip', Buffer.concat([gzipSync(text).subarray(0, -8), Buffer.alloc(8)])],
    ['with NUL behind it', 'gzip', Buffer.concat([gzipSync(text), Buffer.alloc(5)])],
    ['with garbage behind it', 'gzip', Buffer.concat([gzipSync(text), Buffer.from('\r\n')])],
    [
      'with half a header behind it',
      'x-gzip',
      Buffer.concat([gzipSync(text), gzipSync(text).subarray(0, 3)]),
    ],
    ['in two members', 'gzip', Buffer.concat([gzipSync(text.slice(0, 9)), gzipSync(text.slice(9))])],
    ['without its checksum', 'deflate', deflateSync(text).subarray(0, -4)],
    ['with garbage behind it', 'deflate', Buffer.concat([deflateSync(text), Buffer.from('\r\n')])],
  ])('and comes %s, with %s, is read', async (_what, encoding, body) => {
    const { client } = await clientOf(body, { 'content-encoding': encoding });
    expect(await bodyOf(client)).toBe(text);
  });

  test.each([
    ['is damaged', 'gzip', Buffer.from('no gzip')],
    ['is damaged', 'gzip', gzipSync(text).fill(0xff, 10, 15)],
    ['has a header and no more', 'gzip', gzipSync(text).subarray(0, 10)],
    ['ends in the middle', 'gzip', gzipSync(text).subarray(0, 20)],
    ['is longer than 1 MiB', 'gzip', gzipSync('x'.repeat(1024 * 1024 + 1))],
    ['is a bomb of 32 MiB', 'gzip', gzipSync(Buffer.alloc(32 * 1024 * 1024))],
    ['is longer than 1 MiB', 'br', brotliCompressSync('x'.repeat(1024 * 1024 + 1))],
    ['is longer than 1 MiB', 'zstd', zstdCompressSync('x'.repeat(1024 * 1024 + 1))],
    ['is twice encoded', 'gzip, br', brotliCompressSync(gzipSync(text))],
    ['has an encoding of its own', 'constructor', Buffer.from('no JSON')],
  ])('and %s, with %s, is no JSON', async (_what, encoding, body) => {
    const { client } = await clientOf(body, { 'content-encoding': encoding });
    expect(parseJson(await bodyOf(client))).toBeUndefined();
  });

  test.each([
    '',
    'UTF-8',
    'none',
    'aws-chunked',
    'gzip',
    'deflate',
    'br',
    'zstd',
  ])('with %j, and is plain text, is read', async (encoding) => {
    const { client } = await clientOf(text, { 'content-encoding': encoding });
    expect(await bodyOf(client)).toBe(text);
  });

  test('and has a charset of its own, is read by that', async () => {
    const latin1 = gzipSync(Buffer.from('{"mensaje":"Número"}', 'latin1'));
    const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json; charset=ISO-8859-1' };
    const { client } = await clientOf(latin1, headers);
    expect(await bodyOf(client)).toBe('{"mensaje":"Número"}');
  });

  test('and has no body, is read', async () => {
    const { client } = await clientOf('', { 'content-encoding': 'gzip' });
    expect(await bodyOf(client)).toBe('');
  });
});
