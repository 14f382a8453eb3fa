import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

const withinMs = 3000;

/** Runs the health check of the containers as the leader of a process group, and returns what is left of it, too. */
async function check(settings: Record<string, string>) {
  const begin = performance.now();
  const job = spawn('bash', ['service-kit/check-health.sh'], { env: settings, detached: true });
  const [output, errors, [code]] = await Promise.all([
    text(job.stdout),
    text(job.stderr),
    once(job, 'close'),
  ]);
  const leavesProcesses = isRunning(-(job.pid as number));
  return { code, output, errors, leavesProcesses, ms: performance.now() - begin };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Returns the settings of a server that does this with each connection once it has received something. */
async function listen(respond: (socket: Socket, request: string) => unknown) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (request) => respond(socket, `${request}`));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return { HOST: '127.0.0.1', PORT: `${(server.address() as AddressInfo).port}` };
}

async function endSlowly(socket: Socket, answer: string) {
  for (const byte of answer) {
    await delay(250);
    socket.write(byte);
  }
}

test('given a 200 of a connection that stays open, the health check reports ready at once', async () => {
  const requests: string[] = [];
  const service = await listen((socket, request) => {
    requests.push(request);
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"status":');
  });
  const { ms, ...result } = await check(service);
  expect(result).toEqual({ code: 0, output: 'ready\n', errors: '', leavesProcesses: false });
  expect(ms).toBeLessThan(1000);
  expect(requests).toEqual([
    `GET /health/ready HTTP/1.1\r\nHost: localhost:${service.PORT}\r\nConnection: close\r\n\r\n`,
  ]);
});

test.each<[string, (socket: Socket) => unknown, string]>([
  [
    'a 503',
    (socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'),
    'HTTP/1.1 503 Service Unavailable',
  ],
  ['a redirect', (socket) => socket.end('HTTP/1.1 302 Found\r\n\r\n'), 'HTTP/1.1 302 Found'],
  ['another protocol', (socket) => socket.end('\0\xff\x1b[2J HTTP/1.1 200 OK\n'), '???[2J HTTP/1.1 200 OK'],
  ['an endless line', (socket) => socket.end('x'.repeat(1e6)), 'x'.repeat(64)],
  ['no answer and an end', (socket) => socket.end(), 'the connection was closed without an answer'],
  ['a reset', (socket) => socket.resetAndDestroy(), 'the connection was closed without an answer'],
  ['no answer', () => {}, 'no answer within 2 seconds'],
  [
    'a byte at a time',
    (socket) => endSlowly(socket, 'HTTP/1.1 200 OK\r\n\r\n'),
    'no answer within 2 seconds',
  ],
])('given %s, the health check fails in time and prints why', async (_, respond, reason) => {
  const { ms, ...result } = await check(await listen(respond));
  expect(result).toEqual({ code: 1, output: `not ready: ${reason}\n`, errors: '', leavesProcesses: false });
  expect(ms).toBeLessThan(withinMs);
});

test.each([
  ['127.0.0.2', '127.0.0.2'],
  ['', '127.0.0.1'],
  ['::1', '::1'],
])('given HOST="%s" without a service, the health check names the address', async (HOST, address) => {
  const { ms, ...result } = await check({ HOST, PORT: '1' });
  const output = `not ready: no connection to ${address}, port 1\n`;
  expect(result).toEqual({ code: 1, output, errors: '', leavesProcesses: false });
});

test('given a hung service whose queue of connections is full, the health check fails in time', async () => {
  const hung = `const server = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('fs').writeSync(1, String(server.address().port));
    process.kill(process.pid, 'SIGSTOP');
  });`;
  const service = spawn(process.execPath, ['--eval', hung]);
  onTestFinished(() => void service.kill('SIGKILL'));
  const [PORT] = (await once(service.stdout, 'data')).map(String) as [string];
  const clients = Array.from({ length: 4 }, () => connect(Number(PORT), '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const client of clients) client.destroy();
  });
  await once(clients[0] as Socket, 'connect');

  const { ms, ...result } = await check({ HOST: '127.0.0.1', PORT });
  const output = 'not ready: no answer within 2 seconds\n';
  expect(result).toEqual({ code: 1, output, errors: '', leavesProcesses: false });
  expect(ms).toBeLessThan(withinMs);
});
