import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { explainListenError } from 'service-kit/http/listen-error.ts';
import { expect, onTestFinished, test } from 'vitest';

/** Occupies a port with this program, and returns the explanation of a second listen. */
async function explainTaken(handle: RequestListener): Promise<string | undefined> {
  const holder = createServer(handle).listen(0, '127.0.0.1');
  await once(holder, 'listening');
  onTestFinished(() => void holder.close());
  onTestFinished(() => holder.closeAllConnections());
  return explainListen('127.0.0.1', (holder.address() as AddressInfo).port);
}

async function explainListen(host: string, port: number): Promise<string | undefined> {
  const server = createTcpServer();
  const failed = new Promise((fail) => server.once('error', fail));
  server.listen(port, host);
  return explainListenError(await failed, { host, port, setting: 'PORT' });
}

const greet = (message: string): RequestListener => {
  const body = JSON.stringify({ message, status: 'online' });
  return (_request, response) => response.setHeader('content-length', body.length).end(body);
};

test.each([
  [
    'Servicio de Pagos',
    'payment-service of this project, which runs already (npm start or docker compose): stop it',
  ],
  [
    'Servicio de Twilio',
    'twilio-service of this project, which runs already (npm start or docker compose): stop it',
  ],
  ['Servicio de Correos', 'another program: stop it, or set PORT to another port'],
])('given a port of a program that greets with %s, says who has it', async (message, holder) => {
  expect(await explainTaken(greet(message))).toContain(`is in use by ${holder}`);
});

test.each<[string, RequestListener]>([
  ['never answers', () => {}],
  ['answers without end', (_request, response) => void response.write('{"message":"Servicio de Pagos"')],
  [
    'answers with another type',
    (_request, response) => void response.setHeader('content-length', 2).end('ok'),
  ],
  ['cuts the connection', ({ socket }) => void socket.destroy()],
])('given a port of a program that %s, calls it another program', async (_what, handle) => {
  expect(await explainTaken(handle)).toMatch(/^port \d+ is in use by another program: stop it, or set PORT/);
});

test('given an address of another machine, names HOST', async () => {
  expect(await explainListen('203.0.113.1', 8000)).toBe(
    '203.0.113.1 is not an address of this machine: set HOST to one that is, such as 127.0.0.1',
  );
});

test('given a host name without an address, names HOST', async () => {
  expect(await explainListen('no-such-host.invalid', 8000)).toContain(
    'no-such-host.invalid has no address: set HOST',
  );
});

test.each([
  [80, 'port 80 is reserved for administrators, as all below 1024: set PORT to a port from 1024'],
  [8000, 'the system does not allow port 8000: set PORT to another port'],
])('given port %d, which this user may not use, says which it may', async (port, expected) => {
  const error = Object.assign(new Error(), { code: 'EACCES', syscall: 'listen' });
  expect(await explainListenError(error, { host: '127.0.0.1', port, setting: 'PORT' })).toBe(expected);
});

test('given an error of something else, explains nothing', async () => {
  const error = Object.assign(new Error(), { code: 'EACCES', syscall: 'open' });
  expect(await explainListenError(error, { host: '127.0.0.1', port: 80, setting: 'PORT' })).toBeUndefined();
});
