import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startProcesses } from './trio-of-processes.ts';

/** payment-service with 64 file descriptors, about half of which it uses itself. Clients keep their connections. */

/** Returns 0 if there is no answer. */
async function payOnce(url: string, agent: Agent): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const sent = request(`${url}/payments`, { method: 'POST', agent, headers });
  const { promise, resolve } = Promise.withResolvers<number>();
  sent.on('error', () => resolve(0));
  sent.on('response', (response) => {
    text(response).then(
      () => resolve(response.statusCode ?? 0),
      () => resolve(0),
    );
  });
  sent.end(JSON.stringify({ amount: 1, customer_id: 'load' }));
  return promise;
}

/** Clients that pay one payment after the other for at least a second. Returns the statuses that came. */
async function load(url: string, clients: number, isEnough: () => Promise<boolean>): Promise<Set<number>> {
  const statuses = new Set<number>();
  let isOver = false;
  const work = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    while (!isOver) statuses.add(await payOnce(url, agent));
  };
  const clientsDone = Array.from({ length: clients }, work);
  await setTimeout(1000);
  await eventually(isEnough, Boolean, 10_000).finally(() => {
    isOver = true;
  });
  await Promise.all(clientsDone);
  return statuses;
}

test.each([
  30, 200,
])('given 64 descriptors and %i clients that keep their connections, payments are notified at once after the load', async (clients) => {
  await using trio = await startProcesses({ ALDEAMO_LATENCY_MS: '20' }, { prelude: 'ulimit -n 64;' });
  const url = trio.url('payment-service');
  const isReady = async () => (await call('GET', `${url}/health/ready`)).status === 200;
  await eventually(isReady, Boolean, 10_000);

  const warnings = async () =>
    (await trio.logs('payment-service')).filter(({ level }) => Number(level) >= 40);
  // On a busy machine it takes payment-service more than a second to accept one connection too many.
  const statuses = await load(url, clients, async () => (await warnings()).length > 0);
  statuses.delete(0); // a connection too many
  expect([...statuses]).toEqual([201]);
  await eventually(
    () => pay(url, { customer_id: 'after-the-load' }).catch((error) => error),
    (answer) => answer.body?.notification_status === 'sent',
    1000,
  );
  const logged = await warnings();
  expect(logged).toHaveLength(1);
  expect(logged[0]).toMatchObject({ level: 40, msg: expect.stringContaining('too few file descriptors') });
});
