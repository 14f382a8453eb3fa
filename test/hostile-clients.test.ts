import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** Attacks on a service. During and after each of them the payments of honest clients are sent. */

let trio: Trio;
let url: string;
const sockets = new Set<Socket>();

beforeAll(async () => {
  trio = await startProcesses({ ALDEAMO_LATENCY_MS: '0' });
  url = trio.url('payment-service');
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await trio[Symbol.asyncDispose]();
});

async function open(): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  sockets.add(socket);
  socket.on('error', () => {}); // the service may reset the connection at any moment
  await once(socket, 'connect');
  return socket;
}

const openMany = (count: number) => Promise.all(Array.from({ length: count }, open));

/** Sends one byte every 100 ms until the service closes the connection; returns what it answered. */
async function drip(socket: Socket, bytes: string): Promise<string> {
  let at = 0;
  const timer = setInterval(() => void socket.write(bytes[at++ % bytes.length] ?? ''), 100);
  try {
    return await text(socket).catch(() => '');
  } finally {
    clearInterval(timer);
  }
}

async function expectPayments(count: number): Promise<void> {
  const paid = await Promise.all(Array.from({ length: count }, () => pay(url, { customer_id: 'honest' })));
  expect(paid.map(({ status }) => status)).toEqual(Array(count).fill(201));
  expect(paid.map(({ body }) => body.notification_status)).toEqual(Array(count).fill('sent'));
}

// Concurrent, because each waits for a deadline of the server.
describe.concurrent('the HTTP server', () => {
  test('given 200 clients whose headers never end (slow loris), answers 408 and closes their connections', async () => {
    const slow = await openMany(200);
    for (const socket of slow) socket.write('GET /health HTTP/1.1\r\n');
    const answers = Promise.all(slow.map((socket) => drip(socket, 'x-a: b\r\n')));
    await expectPayments(50);
    for (const answer of await answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    await expectPayments(10);
  });

  test('given 50 clients whose body never ends, answers 408 and closes their connections', async () => {
    const slow = await openMany(50);
    const answers = Promise.all(
      slow.map((socket) => {
        socket.write(
          'POST /payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n',
        );
        return drip(socket, ' ');
      }),
    );
    await expectPayments(50);
    for (const answer of await answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    await expectPayments(10);
  });

  test('given 1000 idle connections, closes them', async () => {
    const idle = await openMany(1000);
    await expectPayments(50);
    await Promise.all(idle.map((socket) => text(socket).catch(() => '')));
    await expectPayments(10);
  });
});

test('given garbage after a request, the HTTP server answers 400 and closes only that connection', async () => {
  const sent = await openMany(50);
  const answers = await Promise.all(
    sent.map((socket, seed) => {
      const garbage = Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 31 + seed * 7 + 13) % 256));
      socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n');
      socket.write(garbage);
      return text(socket).catch(() => '');
    }),
  );
  for (const answer of answers) {
    expect(answer).toContain('HTTP/1.1 400 ');
    expect(answer).toContain('/problems/malformed-request');
  }
  await expectPayments(10);
});

test('given headers of 100 kB, the HTTP server answers 431', async () => {
  const socket = await open();
  socket.write(`GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(100_000)}\r\n\r\n`);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  expect(answer).toContain('/problems/headers-too-large');
  await expectPayments(10);
});

test('given 10 000 requests whose responses are never read, the HTTP server serves other clients', async () => {
  const neverReading = await openMany(10);
  for (const socket of neverReading) {
    socket.pause();
    socket.write('GET /payments?limit=100 HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1000));
  }
  // Requests beyond MAX_CONCURRENT_REQUESTS are refused as long as the pages of the first ones are read, and an idle connection may
  // be closed meanwhile: both pass, after as long as the machine takes for the pages.
  await eventually(
    () => Promise.all(Array.from({ length: 50 }, () => pay(url, { customer_id: 'honest' }))).catch(() => []),
    (paid) => paid.length === 50 && paid.every(({ status }) => status === 201),
    30_000,
  );
  await expectPayments(50);
  const { status } = await call('GET', `${url}/health/ready`);
  expect(status).toBe(200);
});
