import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { eventually } from '../../../test/eventually.ts';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';

/** Long enough for an answer over loopback on a busy machine. */
const ample = 10_000;

/** Answers GET /, never GET /silence, and GET /held when it is let go. */
async function serve() {
  let opened = 0;
  const held: ServerResponse[] = [];
  const listener: RequestListener = ({ url }, response) => {
    if (url === '/held') held.push(response);
    if (url === '/') setTimeout(() => response.end(), 20);
  };
  // Promises to keep idle connections for longer than a client should rely on.
  const server: Server = createServer({ keepAliveTimeout: 72_000 }, listener).on('connection', () => {
    opened += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  const { port } = server.address() as { port: number };
  return {
    port,
    open: promisify(server.getConnections.bind(server)) as () => Promise<number>,
    opened: () => opened,
    letGo: () => held.splice(0).forEach((response) => void response.end()),
  };
}

function clientOf(port: number, timeoutMs: number): HttpClient {
  const client = createHttpClient({ url: `http://127.0.0.1:${port}`, timeoutMs, maxConcurrency: 32 });
  onTestFinished(() => client.close());
  return client;
}

const send = (client: HttpClient, path = '/') =>
  client.send({ method: 'GET', path }, ({ status }) => ({ outcome: 'accepted', message_id: `${status}` }));
const peak = (client: HttpClient, sends: number) =>
  Promise.all(Array.from({ length: sends }, () => send(client)));

const accepted = { outcome: 'accepted', message_id: '200' };
const deadlinePassed = { outcome: 'unknown', reason: 'deadline_passed' };

describe('the HTTP client, given connections that were cut without a FIN', () => {
  test('after one deadline, sends a whole peak over new ones, and leaves none open', async () => {
    const server = await serve();
    const proxy = await startTcpProxy(server.port);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const client = clientOf(proxy.port, 600); // less than an idle connection lives
    await eventually(
      () => peak(client, 24),
      (outcomes) => outcomes.every(({ outcome }) => outcome === 'accepted'),
      ample,
    );

    proxy.swallow();
    expect(await send(client)).toEqual(deadlinePassed);

    const before = server.opened();
    expect(await peak(client, 24)).toEqual(Array(24).fill(accepted));
    expect(server.opened() - before).toBe(24);
    await eventually(server.open, (open) => open === 0, 5000);
  });
});

describe('the HTTP client, after a deadline on a connection that had worked before,', () => {
  test('still has the answer of a call that was under way on another connection', async () => {
    const server = await serve();
    const client = clientOf(server.port, 600);
    await peak(client, 2);
    const silent = send(client, '/silence');
    await delay(300);
    const underWay = send(client, '/held');
    await silent;
    server.letGo();
    expect(await underWay).toEqual(accepted);
    await eventually(server.open, (open) => open === 0, 5000);
  });

  test('opens new connections once, however many calls pass theirs', async () => {
    const server = await serve();
    const client = clientOf(server.port, 400);
    await peak(client, 3);
    const silent = [0, 100, 200].map((ms) => delay(ms).then(() => send(client, '/silence')));
    await silent[0];
    await send(client);
    expect(server.opened()).toBe(4);
    await Promise.all(silent);
    await send(client);
    expect(server.opened()).toBe(4);
  });

  test('given a close, ends the calls on old and new connections', { timeout: ample / 2 }, async () => {
    const server = await serve();
    const client = clientOf(server.port, ample);
    const short = clientOf(server.port, 400);
    await peak(short, 2);
    const first = send(short, '/silence');
    await delay(200);
    const onOld = send(short, '/silence');
    await first;
    const onNew = send(short, '/silence');
    await delay(50);
    await Promise.all([short.close(), client.close()]);
    const lost = { outcome: 'unknown', reason: 'connection_lost' };
    expect(await Promise.all([onOld, onNew])).toEqual([lost, lost]);
    await eventually(server.open, (open) => open === 0, 5000);
  });
});

describe('the HTTP client', () => {
  test('after a deadline on a connection that was opened for that call, keeps the others', async () => {
    const server = await serve();
    const client = clientOf(server.port, 300);
    await send(client);
    await delay(20); // undici hands out a connection again a turn after its answer
    await Promise.all([send(client), send(client, '/silence')]);
    await send(client);
    expect(server.opened()).toBe(2);
  });

  test('reuses a connection within half a second, and closes an idle one within 2 s, whatever the server promises', async () => {
    const server = await serve();
    const client = clientOf(server.port, ample);
    await send(client);
    await delay(400);
    await send(client);
    expect(server.opened()).toBe(1);
    await eventually(server.open, (open) => open === 0, 2000);
    await send(client);
    expect(server.opened()).toBe(2);
  });
});
