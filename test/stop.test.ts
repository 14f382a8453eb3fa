import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startTrio } from './start-trio.ts';
import type { ServiceName, Trio } from './trio.ts';

let trio: Trio;
beforeAll(async () => {
  trio = await startTrio({
    ALDEAMO_LATENCY_MS: '1000',
    PROVIDER_TIMEOUT_MS: '2000',
    GATEWAY_TIMEOUT_MS: '1800',
  });
});
afterAll(() => trio[Symbol.asyncDispose]());

test('given SIGTERM, payment-service ends the payments under way, closes idle connections and exits with 0', async () => {
  const payments = trio.url('payment-service');
  await call('GET', `${payments}/health/live`); // leaves an idle keep-alive connection behind
  const underWay = Promise.all(
    Array.from({ length: 5 }, (_, n) => pay(payments, { customer_id: `stop-${n}` })),
  );
  const aldeamo = `${trio.url('aldeamo-service')}/health`;
  await eventually(
    () => call<{ requests: number }>('GET', aldeamo),
    ({ body }) => body.requests === 5,
    5000,
  );

  await trio.terminate('payment-service');
  expect(await trio.exitCode('payment-service')).toBe(0);

  const answers = await underWay;
  expect(answers.map(({ status, body }) => [status, body.notification_status])).toEqual(
    Array(5).fill([201, 'sent']),
  );
  await expect(pay(payments, { customer_id: 'late' })).rejects.toThrow('fetch failed');

  await trio.start('payment-service');
  for (const { body } of answers) {
    const { body: stored } = await call('GET', `${trio.url('payment-service')}/payments/${body.payment_id}`);
    expect(stored).toEqual(body);
  }
});

test('given a second SIGTERM, payment-service drops the payments under way and exits with 1 at once', async () => {
  const payments = trio.url('payment-service');
  const lost = expect(pay(payments, { customer_id: 'second' })).rejects.toThrow('fetch failed');
  const list = `${payments}/payments?customer_id=second`;
  await eventually(
    () => call<{ data: unknown[] }>('GET', list),
    ({ body }) => body.data.length === 1,
    5000,
  );

  await trio.terminate('payment-service');
  // Waits for the first signal to be handled, because two pending signals of a kind are merged.
  await eventually(
    () => trio.logs('payment-service'),
    (lines) => lines.at(-1)?.msg === 'stopping',
    5000,
  );
  await trio.terminate('payment-service');

  expect(await trio.exitCode('payment-service')).toBe(1);
  await lost;
  await trio.start('payment-service');
});

test('given SIGTERM while no provider answers and the outbox has work, payment-service exits with 0', async () => {
  await trio.freeze('aldeamo-service');
  await trio.freeze('twilio-service');
  const { body } = await pay(trio.url('payment-service'), { customer_id: 'silent' });
  expect(body.notification_status).toBe('pending');
  const underWay = pay(trio.url('payment-service'), { customer_id: 'silent' });
  const list = `${trio.url('payment-service')}/payments?customer_id=silent`;
  await eventually(
    () => call<{ data: unknown[] }>('GET', list),
    (answer) => answer.body.data.length === 2,
    5000,
  );

  await trio.terminate('payment-service');

  expect((await underWay).body.notification_status).toBe('pending');
  expect(await trio.exitCode('payment-service')).toBe(0);
  await trio.thaw('aldeamo-service');
  await trio.thaw('twilio-service');
});

test.each<ServiceName>([
  'aldeamo-service',
  'twilio-service',
])('given SIGTERM, %s exits with 0', async (service) => {
  await trio.terminate(service);
  expect(await trio.exitCode(service)).toBe(0);
});
