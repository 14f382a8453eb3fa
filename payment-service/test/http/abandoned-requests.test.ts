import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Server } from 'service-kit/http/types.ts';
import { expect, onTestFinished, test, vi } from 'vitest';
import { body, build, hold } from '../fixture.ts';

const json = JSON.stringify(body);
const request = (more = '') =>
  `POST /payments HTTP/1.1\r\nhost: x\r\n${more}content-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n`;

async function open(app: Server): Promise<Socket> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const countedAs = async (app: Server) =>
  /route="\/payments",status_code="(\d+)"/.exec((await app.inject('/metrics')).body)?.[1];

test.each([
  ['resets', (socket: Socket) => void socket.resetAndDestroy()],
  ['closes', (socket: Socket) => void socket.destroy()],
])('given a client that %s its connection while its payment is handled, the payment is recorded and its customer notified', async (_how, leave) => {
  const { app, store, clients, calls, lines } = await build();
  const { letGo, called } = hold(clients.Aldeamo);
  const socket = await open(app);
  socket.write(request('idempotency-key: a\r\n') + json);
  await called;
  leave(socket);
  await vi.waitFor(async () => expect(await countedAs(app)).toBe('499'));
  letGo();
  await vi.waitFor(() =>
    expect(store.recorded()).toMatchObject([
      { notification_status: 'sent', attempts: [{ outcome: 'accepted' }] },
    ]),
  );
  expect(calls).toHaveLength(1);
  expect(lines.filter(({ level }) => Number(level) > 30)).toEqual([]);
});

test.each([
  ['resets', (socket: Socket) => void socket.resetAndDestroy()],
  ['half closes', (socket: Socket) => void socket.end()],
])('given a client that %s its connection within its body, nothing is recorded or logged', async (_how, leave) => {
  const { app, store, calls, lines } = await build();
  const socket = await open(app);
  const received = once(app.server, 'request');
  socket.write(request() + json.slice(0, -1));
  await received;
  leave(socket);
  await vi.waitFor(async () => expect(await countedAs(app)).toMatch(/^4/));
  expect([store.recorded(), calls]).toEqual([[], []]);
  expect(lines.filter(({ level }) => Number(level) > 30)).toEqual([]);
});

test('given a client that closes its connection while it waits for a list, the store need not read any further', async () => {
  const { app, store } = await build();
  const asked = Promise.withResolvers<AbortSignal | undefined>();
  const answer = Promise.withResolvers<{ payments: []; has_more: boolean }>();
  vi.spyOn(store, 'list').mockImplementation((_query, signal) => {
    asked.resolve(signal);
    return answer.promise;
  });
  const socket = await open(app);
  socket.write('GET /payments?customer_id=1 HTTP/1.1\r\nhost: x\r\n\r\n');
  const signal = await asked.promise;
  expect(signal?.aborted).toBe(false);
  socket.destroy();
  await vi.waitFor(() => expect(signal?.aborted).toBe(true));
  answer.resolve({ payments: [], has_more: false });
});
