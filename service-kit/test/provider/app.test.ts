import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/contract/notification.ts';
import { createCredential } from '../../src/http/credentials.ts';
import { accepted, body, buildFakeApp, buildSandboxApp, notify } from './fixture.ts';

test('/openapi.json names every route', async () => {
  const { app } = await buildSandboxApp();
  const { paths } = (await app.inject('/openapi.json')).json();
  expect(Object.keys(paths).sort()).toEqual([
    '/',
    '/health',
    '/health/live',
    '/health/ready',
    '/health/upstream',
    '/messages/{message_id}',
    '/notify',
    '/problems/{name}',
    '/sandbox',
    '/sandbox/messages',
    '/toggle-failure',
  ]);
});

describe('the start', () => {
  const warnings = async ({
    app,
    lines,
  }: Awaited<ReturnType<typeof buildSandboxApp | typeof buildFakeApp>>) => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    return lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40);
  };

  test('given a live gateway and no keys, warns once, with what to do', async () => {
    expect(await warnings(await buildFakeApp())).toEqual([
      expect.objectContaining({
        level: 40,
        mode: 'live',
        msg: expect.stringMatching(/no keys.*ADMIN_API_KEY and SERVICE_TOKEN/),
      }),
    ]);
  });

  test('given a sandbox, or keys, does not warn', async () => {
    const access = { credentials: [createCredential('service', 'service', 'key-of-the-service')] };
    expect(await warnings(await buildSandboxApp())).toEqual([]);
    expect(await warnings(await buildFakeApp({}, { access }))).toEqual([]);
  });
});

describe('the log', () => {
  test('has one line for each notification', async () => {
    const { app, lines } = await buildFakeApp({ send: async () => accepted });
    await app.inject(notify(body, 'key-1'));
    const { level: _level, time: _time, pid: _pid, hostname: _hostname, reqId: _id, ...line } = only(lines);
    expect(line).toEqual({
      msg: 'notification answered',
      provider: 'Aldeamo',
      idempotency_key: 'key-1',
      outcome: 'accepted',
      message_id: 'sms-1',
      duration_ms: expect.any(Number),
      mode: 'live',
    });
  });

  test('has the reason of a notification that was not sent', async () => {
    const { app, lines } = await buildFakeApp({
      send: async () => ({ outcome: 'rejected', reason: 'opted_out' }),
    });
    await app.inject(notify(body));
    expect(only(lines)).toMatchObject({ outcome: 'rejected', reason: 'opted_out', idempotency_key: null });
  });

  test('never has the text or the phone, even after errors', async () => {
    const outcomes: Outcome[] = [accepted, { outcome: 'unknown', reason: 'connection_lost' }];
    const { app, lines } = await buildFakeApp({
      send: async () => outcomes.shift() ?? Promise.reject(new Error('a bug of the gateway')),
    });
    const secret = { message: 'texto secreto', customer_id: '1', phone: '+573009999999' };
    const statuses: number[] = [];
    for (const request of [
      notify(secret, 'key-1'),
      notify(secret),
      notify(secret),
      notify({ ...secret, message: 'otro texto secreto' }, 'key-1'),
      notify({ ...secret, phone: '573009999999' }),
      notify({ ...secret, message: `texto secreto\u0000` }),
      { ...notify(secret), payload: '{"phone":"573009999999","message":"texto secreto' },
      { ...notify(secret), headers: { 'content-type': 'text/plain' } },
    ])
      statuses.push((await app.inject(request)).statusCode);
    expect(statuses.slice(0, 7)).toEqual([200, 502, 500, 422, 400, 400, 400]);
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(lines.join('')).not.toMatch(/secreto|573009999999/);
  });
});

test('while it stops, replies with not_sent, so that the other provider is used', async () => {
  const { app, gateway } = await buildFakeApp();
  const stopping = Promise.withResolvers<void>();
  app.addHook('preClose', async () => stopping.resolve());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  // The stop begins when one request is answered, and the next has begun to arrive.
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nPOST /notify');
  await once(socket, 'data');
  const closing = app.close();
  await stopping.promise;
  const payload = JSON.stringify(body);
  socket.write(` HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`);
  socket.write(`content-length: ${payload.length}\r\n\r\n${payload}`);
  const [head, document = ''] = (await text(socket)).split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 503 /);
  expect(head).toContain('retry-after: 1');
  expect(JSON.parse(document)).toMatchObject({ outcome: 'not_sent', reason: 'stopping' });
  expect(gateway.send).not.toHaveBeenCalled();
  await closing;
});

function only(lines: string[]): Record<string, unknown> {
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '');
}
