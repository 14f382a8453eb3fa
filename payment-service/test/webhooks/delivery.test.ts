import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import { createEndpoint } from '../../src/webhooks/endpoint.ts';
import { startWebhooks } from '../../src/webhooks/worker.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber } from '../store/store-contract.ts';

const key = Buffer.alloc(32, 1);
const statuses = ['held', 'sent', 'delivered'] as const;
const timeoutMs = 10_000;
const log = { info() {}, warn() {}, error() {} };

/** A receiver of a merchant that verifies each signature, and answers one request in three only after a while. */
async function receive() {
  const received: { id: string; payment: string; status: string }[] = [];
  const webhook = new Webhook(key.toString('base64'));
  const server = createServer(async (request, response) => {
    const headers = request.headers as Record<string, string>;
    const { type, data } = webhook.verify(await text(request), headers) as {
      type: string;
      data: { payment_id: string };
    };
    received.push({
      id: String(headers['webhook-id']),
      payment: data.payment_id,
      status: type.replace(/.*\./, ''),
    });
    setTimeout(() => response.writeHead(204).end(), received.length % 3 === 0 ? 30 : 0);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks` };
}

test('a receiver that verifies each signature gets each event once, those of a payment in their order', async () => {
  const { received, url } = await receive();
  const store = createMemoryStore({ leaseMs: 1000, events: 'webhooks' });
  const options = { timeoutMs, concurrency: 8, log };
  const endpoint = createEndpoint({
    ...options,
    url,
    secrets: [key],
    allowPrivate: false,
    log: log as never,
  });
  const webhooks = startWebhooks({ ...options, store, endpoint });
  for (let number = 1; number <= 60; number += 1) {
    let payment = paymentNumber(number);
    await store.insert(payment);
    for (const notification_status of statuses) {
      const next = { ...payment, notification_status };
      await store.update(next, undefined, payment);
      payment = next;
    }
    webhooks.wake();
  }
  const { pending } = await eventually(
    () => store.countWebhooks(),
    (counts) => counts.pending === 0,
    timeoutMs,
  );
  await webhooks.stop();
  expect(pending).toBe(0);
  expect(new Set(received.map(({ id }) => id)).size).toBe(180);
  expect(received).toHaveLength(180);
  const byPayment = Map.groupBy(received, ({ payment }) => payment).values();
  expect([...byPayment].map((events) => events.map(({ status }) => status))).toEqual(
    Array(60).fill(statuses),
  );
});
