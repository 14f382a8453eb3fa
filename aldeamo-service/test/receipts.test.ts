import { expect, test } from 'vitest';
import { never, startPaymentDouble } from '../../test/doubles/payment-double.ts';
import { eventually } from '../../test/eventually.ts';
import { ample, disposing, notify } from '../../test/provider-fixture.ts';
import { startApp } from './fixture.ts';

const serviceToken = 's'.repeat(16);
const headers = { authorization: `Bearer ${serviceToken}` };

/** A sandbox of Aldeamo that delivers at once, before a payment-service. */
async function startWithReceipts(env: Record<string, string> = {}) {
  const payments = await disposing(startPaymentDouble());
  const started = await startApp({
    ALDEAMO_LATENCY_MS: '0',
    ALDEAMO_DELIVERY_MS: '0',
    PAYMENT_SERVICE_URL: payments.url,
    ADMIN_API_KEY: 'a'.repeat(16),
    SERVICE_TOKEN: serviceToken,
    ...env,
  });
  const { app } = started;
  const send = async (key: string) => {
    const request = notify(key, {});
    const response = await app.inject({ ...request, headers: { ...request.headers, ...headers } });
    expect(response.statusCode).toBe(200);
    return response.json<{ message_id: string; receipts: string[] }>();
  };
  const received = (count: number) =>
    eventually(
      async () => payments.receipts(),
      ({ length }) => length >= count,
      ample,
    );
  return { ...started, payments, send, received };
}

test('a sandbox with a time of delivery sends payment-service a receipt for each SMS', async () => {
  const { payments, send, received, app } = await startWithReceipts();
  const { message_id, receipts } = await send('pmt_1-1');
  expect(receipts).toEqual(['push', 'pull']);
  expect(await received(1)).toEqual([
    {
      provider: 'Aldeamo',
      message_id,
      idempotency_key: 'pmt_1-1',
      status: 'delivered',
      reason: null,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    },
  ]);
  expect(payments.received).toMatchObject([{ method: 'POST', path: '/receipts', headers }]);
  const asked = await app.inject({ url: `/messages/${message_id}`, headers });
  expect(asked.json()).toMatchObject({ message_id, status: 'delivered', reason: null });
});

test('given no time of delivery, it sends none, and replies that there are none', async () => {
  const { payments, send } = await startWithReceipts({ ALDEAMO_DELIVERY_MS: '' });
  expect((await send('pmt_1-1')).receipts).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(payments.received).toEqual([]);
});

test('a payment-service that is away for a moment gets each receipt once it is back', async () => {
  const first = await startPaymentDouble();
  const port = Number(new URL(first.url).port);
  await first[Symbol.asyncDispose]();
  const { send } = await startWithReceipts({ PAYMENT_SERVICE_URL: first.url });
  for (const key of ['pmt_1-1', 'pmt_2-1']) await send(key);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const back = await disposing(startPaymentDouble(port));
  const receipts = await eventually(
    async () => back.receipts(),
    ({ length }) => length === 2,
    ample,
  );
  expect(receipts.map(({ idempotency_key }) => idempotency_key).toSorted()).toEqual(['pmt_1-1', 'pmt_2-1']);
});

test('given 200 SMS at once, payment-service gets the receipt of each', async () => {
  const { send, received } = await startWithReceipts();
  await Promise.all(Array.from({ length: 200 }, (_, number) => send(`pmt_${number}-1`)));
  const receipts = await received(200);
  expect(new Set(receipts.map(({ idempotency_key }) => idempotency_key)).size).toBe(200);
});

test('a payment-service that never answers does not delay a stop', async () => {
  const { app, payments, send, received, lines } = await startWithReceipts();
  payments.answer(never);
  await send('pmt_1-1');
  await received(1);
  const started = performance.now();
  await app.close();
  expect(performance.now() - started).toBeLessThan(1000);
  expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
});
