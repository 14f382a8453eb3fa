import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import type { ServiceName, Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The cancellation of a call that is on its way, by what the sandboxes have accepted. */

let trio: Trio;
beforeAll(async () => {
  trio = await startProcesses({ NOTIFICATION_RETRY_BASE_MS: '500' });
});
afterAll(() => trio[Symbol.asyncDispose]());

/** Differs in each test, which makes one payment. */
let customer_id: string;
beforeEach(async ({ task }) => {
  customer_id = task.id;
  for (const service of ['aldeamo-service', 'twilio-service'] as const)
    await setSandbox(service, { failure_rate: 0, late_rate: 0, latency_ms: 0 });
});

const setSandbox = (service: ServiceName, settings: Record<string, number>) =>
  call('POST', `${trio.url(service)}/sandbox`, settings);
const ledgerOf = async (service: ServiceName) =>
  (await call<{ data: unknown[] }>('GET', `${trio.url(service)}/sandbox/messages?customer_id=${customer_id}`))
    .body.data;
const payments = async () =>
  (
    await call<{ data: PaymentView[] }>(
      'GET',
      `${trio.url('payment-service')}/payments?customer_id=${customer_id}`,
    )
  ).body.data;
const cancel = (id: string) =>
  call<PaymentView>('POST', `${trio.url('payment-service')}/payments/${id}/notification/cancel`, {
    reason: 'the order was a test',
  });

/** Pays, and returns once the attempt at this provider is on record. */
async function payUntil(provider: string) {
  const paid = pay(trio.url('payment-service'), { customer_id });
  const [payment] = await eventually(
    payments,
    ([found]) => found?.notification.attempts.at(-1)?.provider === provider,
    5000,
  );
  return { paid, id: (payment as PaymentView).payment_id };
}

test('given a frozen Aldeamo, whose call never arrives, cancels it, and no provider sends an SMS', async () => {
  await trio.freeze('aldeamo-service');
  const { paid, id } = await payUntil('Aldeamo');
  const cancelling = cancel(id);
  await trio.kill('aldeamo-service');
  const { status, body } = await cancelling;
  expect([status, body.notification_status]).toEqual([200, 'cancelled']);
  expect((await paid).body.notification_status).toMatch(/cancelled|pending/);
  await trio.start('aldeamo-service');
  expect((await payments())[0]?.notification_status).toBe('cancelled');
  expect([await ledgerOf('aldeamo-service'), await ledgerOf('twilio-service')]).toEqual([[], []]);
});

test.each([
  ['Aldeamo', 'aldeamo-service', { latency_ms: 1000 }],
  ['Twilio', 'twilio-service', { latency_ms: 1000 }],
] as const)('given a slow call that has arrived at %s, the notification is sent, or no provider has the SMS', async (provider, service, slow) => {
  if (provider === 'Twilio') await setSandbox('aldeamo-service', { failure_rate: 1 });
  await setSandbox(service, slow);
  const { paid, id } = await payUntil(provider);
  const { status, body } = await cancel(id);
  await paid;
  const sms = [...(await ledgerOf('aldeamo-service')), ...(await ledgerOf('twilio-service'))];
  const [payment] = await payments();
  const found = [status, body.notification_status, payment?.notification_status, sms.length];
  expect([
    [409, 'sent', 'sent', 1],
    [200, 'cancelled', 'cancelled', 0],
  ]).toContainEqual(found);
});

test('given a slow Aldeamo that fails in the end, is cancelled, and Twilio is not called', async () => {
  await setSandbox('aldeamo-service', { latency_ms: 1000, failure_rate: 1 });
  const { paid, id } = await payUntil('Aldeamo');
  expect((await cancel(id)).body.notification_status).toBe('cancelled');
  await paid;
  const [payment] = await payments();
  expect(payment?.notification.attempts).toMatchObject([{ provider: 'Aldeamo', outcome: 'not_sent' }]);
  expect(payment?.notification_status).toBe('cancelled');
  expect(await ledgerOf('twilio-service')).toEqual([]);
});
