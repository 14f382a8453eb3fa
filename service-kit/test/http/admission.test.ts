import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createCredential } from '../../src/http/credentials.ts';
import { problemSchema } from '../../src/http/problem.ts';
import type { ServerOptions } from '../../src/http/server.ts';
import { correlationFields } from '../../src/telemetry/correlation.ts';
import { buildTestServer, connectTo } from './fixture.ts';

/** A server whose `/held` responds when the test says so. */
async function build(options: Partial<ServerOptions> = {}) {
  const lines: string[] = [];
  const { server } = await buildTestServer({
    maxConcurrentRequests: 4,
    logger: pino({ mixin: correlationFields }, { write: (line) => void lines.push(line) }),
    ...options,
  });
  onTestFinished(() => server.server.closeAllConnections()); // for which the stop would wait
  const held: PromiseWithResolvers<object>[] = [];
  const access = ['client', 'admin'] as const;
  server.get('/held', { config: { access } }, () => {
    const response = Promise.withResolvers<object>();
    held.push(response);
    return response.promise;
  });
  server.get('/things', { config: { access } }, async ({ log }) => {
    log.info('served');
    return {};
  });
  server.get('/health', { config: { access: 'anyone' } }, async () => ({}));
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const open = () => connectTo(server);
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
  /** Takes so many places by requests that a client pipelines on one connection. */
  const hold = async (count: number, headers = '') => {
    const socket = await open();
    const before = held.length;
    socket.write(`GET /held HTTP/1.1\r\nhost: x\r\n${headers}\r\n`.repeat(count));
    await vi.waitFor(() => expect(held).toHaveLength(before + count));
    return socket;
  };
  /** Sends requests, and waits until the server has got them. */
  const send = async <T>(count: number, requests: () => T): Promise<[T]> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let missing = count;
    const onRequest = () => {
      missing -= 1;
      if (missing === 0) resolve();
    };
    server.server.on('request', onRequest);
    const sent = requests();
    await promise;
    server.server.off('request', onRequest);
    return [sent]; // not awaited
  };
  return { server, held, hold, ask, open, send, lines };
}

const statusOf = async (response: Promise<Response>) => (await response).status;

describe('beyond the concurrency limit', () => {
  test.each([
    ['/health/live', 200],
    ['/health/live?', 200],
    ['/health/%6Cive', 200],
    ['/health/live?x=1', 400], // for the field, which the route does not have
    ['/health/ready', 200],
    ['/health/ready?verbose', 400],
    ['/health', 200],
    ['/metrics?', 200],
  ])('GET and HEAD %s are admitted', async (path, status) => {
    const { hold, ask } = await build();
    await hold(4);
    expect(await statusOf(ask(path))).toBe(status);
    expect(await statusOf(ask(path, {}, 'HEAD'))).toBe(status);
  });

  test('a path that only looks like that of a probe is refused', async () => {
    const { hold, ask } = await build({ maxConcurrentRequests: 2 });
    await hold(1);
    await hold(1);
    for (const path of ['/things?/health/live', '/health/live/more', '/health/other', '/'])
      expect(await statusOf(ask(path)), path).toBe(503);
  });
});

describe('a client that has all places', () => {
  const credentials = ['hog', 'honest'].map((name) => createCredential(name, 'client', `key-of-the-${name}`));
  const key = (name: string) => ({ authorization: `Bearer key-of-the-${name}` });

  test('given keys, is refused, while another key gets the next place', async () => {
    const { hold, held, ask, send } = await build({ credentials });
    for (let at = 0; at < 4; at += 1) await hold(1, 'authorization: Bearer key-of-the-hog\r\n');
    const [honest] = await send(1, () => ask('/things', key('honest')));
    const refused = await ask('/things', key('hog'));
    expect(refused.status).toBe(503);
    expect(problemSchema.parse(await refused.json()).type).toBe('/problems/overloaded');
    held[0]?.resolve({});
    expect(await statusOf(honest)).toBe(200);
    expect(await statusOf(ask('/things', key('hog')))).toBe(200);
  });

  test('given no keys, is a connection, and others get the next place', async () => {
    const { hold, held, ask, send } = await build();
    await hold(4);
    const [honest] = await send(2, () => [ask('/things'), ask('/things')]);
    held[0]?.resolve({});
    expect(await Promise.all(honest.map(statusOf))).toEqual([200, 200]);
  });

  test('leaves one place to another connection, however many requests that one pipelines', async () => {
    const { hold, held, open, send } = await build();
    await hold(4);
    const other = await open();
    const [answers] = await send(3, () => {
      other.end('GET /things HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3));
      return text(other);
    });
    held[0]?.resolve({});
    expect((await answers).match(/HTTP\/1.1 \d+/g)).toEqual(
      [200, 503, 503].map((status) => `HTTP/1.1 ${status}`),
    );
  });

  test('leaves the ids of a request that has waited on its log lines', async () => {
    const { hold, held, ask, lines } = await build();
    await hold(4);
    const honest = ask('/things', { 'x-request-id': 'of-the-honest' });
    await vi.waitFor(async () => expect(await statusOf(ask('/health/live'))).toBe(200));
    held[0]?.resolve({});
    expect((await honest).headers.get('x-request-id')).toBe('of-the-honest');
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ msg: 'served', request_id: 'of-the-honest' }),
    );
  });

  test('keeps them for longer than a second: others are refused then', async () => {
    const { hold, ask } = await build();
    await hold(4);
    const refused = await ask('/things');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  });

  test('keeps none for what waits behind its first response once it has disconnected', async () => {
    const { server, hold } = await build();
    const connected = once(server.server, 'connection');
    const socket = await hold(4);
    const [peer] = await connected;
    socket.destroy();
    await once(peer, 'close');
    await hold(4);
  });

  test('gets none of those that a client has left while it waited', async () => {
    const { server, hold, held, ask, open } = await build({ maxConcurrentRequests: 1 });
    await hold(1);
    const connected = once(server.server, 'connection');
    const gone = await open();
    const [peer] = await connected;
    gone.write('GET /held HTTP/1.1\r\nhost: x\r\n\r\n');
    await vi.waitFor(async () => expect(await statusOf(ask('/things'))).toBe(503)); // as one waits already
    gone.destroy();
    await once(peer, 'close');
    const honest = ask('/things');
    held[0]?.resolve({});
    expect(await statusOf(honest)).toBe(200);
    expect(held).toHaveLength(1);
  });
});

test('a request that is refused for its key takes no place', async () => {
  const credentials = [createCredential('shop', 'client', 'key-of-the-shop-1')];
  const { hold, ask } = await build({ credentials, maxConcurrentRequests: 1 });
  await hold(1, 'authorization: Bearer key-of-the-shop-1\r\n');
  expect(await statusOf(ask('/things'))).toBe(401);
  expect(await statusOf(ask('/things', { authorization: 'Bearer of-a-stranger' }))).toBe(401);
});

describe('while the server stops', () => {
  test.each(['/health/live', '/health/%6Cive', '/health/live?'])('%s answers', async (path) => {
    const { server, hold, held, ask } = await build();
    await hold(1);
    const closing = server.close();
    await vi.waitFor(async () => expect(await statusOf(ask('/health'))).toBe(503));
    expect(await statusOf(ask(path))).toBe(200);
    held[0]?.resolve({});
    await closing;
  });

  test('what waits for a place is refused at once', async () => {
    const { server, hold, held, open } = await build();
    await hold(4);
    const waiting = await open();
    waiting.write('GET /things HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(server.server, 'request');
    const closing = server.close();
    const answer = await text(waiting);
    expect(answer).toMatch(/^HTTP\/1\.1 503 .*connection: close.*\/problems\/stopping/is);
    for (const { resolve } of held) resolve({});
    await closing;
  });
});
