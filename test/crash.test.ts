import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import type { ServiceName, Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

let trio: Trio;
beforeAll(async () => {
  trio = await startProcesses({
    ALDEAMO_LATENCY_MS: '0',
    NOTIFICATION_RETRY_BASE_MS: '500',
  });
});
afterAll(() => trio[Symbol.asyncDispose]());

/** Differs in each test, which makes one payment. */
let customer_id: string;
beforeEach(async ({ task }) => {
  customer_id = task.id;
  for (const service of ['aldeamo-service', 'twilio-service'] as const)
    await setSandbox(service, { failure_rate: 0, late_rate: 0 });
});

const ledgerOf = async (service: ServiceName) =>
  (
    await call<{ data: { idempotency_key: string }[] }>(
      'GET',
      `${trio.url(service)}/sandbox/messages?customer_id=${customer_id}`,
    )
  ).body.data;
const theOnlyPayment = async () => {
  const { body } = await call<{ data: PaymentView[] }>(
    'GET',
    `${trio.url('payment-service')}/payments?customer_id=${customer_id}`,
  );
  expect(body.data.length).toBeLessThanOrEqual(1);
  return body.data[0];
};
const untilSent = async () =>
  (await eventually(
    theOnlyPayment,
    (payment) => payment?.notification_status === 'sent',
    20_000,
  )) as PaymentView;
const attemptsOf = ({ notification }: PaymentView) =>
  notification.attempts.map(({ provider, outcome, reason }) => [provider, outcome, reason]);

/** Makes Aldeamo accept, and answer only after the deadlines. */
const delayAnswers = () => setSandbox('aldeamo-service', { late_rate: 1 });
const answerAtOnce = () => setSandbox('aldeamo-service', { late_rate: 0 });
const setSandbox = (service: ServiceName, settings: Record<string, number>) =>
  call('POST', `${trio.url(service)}/sandbox`, settings);

/** Kills payment-service once Aldeamo has accepted its call, and before the answer. */
async function crashOnceAccepted(): Promise<void> {
  await eventually(
    () => ledgerOf('aldeamo-service'),
    (ledger) => ledger.length === 1,
    5000,
  );
  await trio.kill('payment-service');
  await answerAtOnce();
}

async function payAndCrash(): Promise<void> {
  await delayAnswers();
  const lost = expect(pay(trio.url('payment-service'), { customer_id })).rejects.toThrow();
  await crashOnceAccepted();
  await lost;
}

describe('payment-service', () => {
  test('given a kill between call and outcome, asks Aldeamo for the outcome and sends no second SMS', async () => {
    await payAndCrash();
    await trio.start('payment-service');

    const payment = await untilSent();

    expect(attemptsOf(payment)).toEqual([['Aldeamo', 'accepted', null]]);
    expect(payment.possible_duplicate).toBe(false);
    expect(await ledgerOf('aldeamo-service')).toHaveLength(1);
    expect(await ledgerOf('twilio-service')).toEqual([]);
  });

  test('given a kill of it and aldeamo-service between call and outcome, resends and flags a possible duplicate', async () => {
    await payAndCrash();
    await trio.kill('aldeamo-service');
    await trio.start('aldeamo-service');
    await trio.start('payment-service');

    const payment = await untilSent();

    expect(attemptsOf(payment)).toEqual([
      ['Aldeamo', 'unknown', 'interrupted'],
      ['Aldeamo', 'accepted', null],
    ]);
    expect(payment.possible_duplicate).toBe(true);
  });

  test('given a kill before Aldeamo reads the call, sends the SMS once', async () => {
    // The frozen Aldeamo holds the call in its socket's backlog, and is killed before it reads it.
    await trio.freeze('aldeamo-service');
    const lost = expect(pay(trio.url('payment-service'), { customer_id })).rejects.toThrow();
    await eventually(theOnlyPayment, (payment) => payment !== undefined, 5000);
    await trio.kill('payment-service');
    await trio.kill('aldeamo-service');
    await lost;
    await trio.start('aldeamo-service');
    await trio.start('payment-service');

    const payment = await untilSent();

    expect(attemptsOf(payment)).toEqual([
      ['Aldeamo', 'unknown', 'interrupted'],
      ['Aldeamo', 'accepted', null],
    ]);
    expect(await ledgerOf('aldeamo-service')).toHaveLength(1);
    expect(await ledgerOf('twilio-service')).toEqual([]);
  });

  test('given a kill during an outbox round, finds the outcome in the next round', async () => {
    await setSandbox('aldeamo-service', { failure_rate: 1 });
    await setSandbox('twilio-service', { failure_rate: 1 });
    const { body } = await pay(trio.url('payment-service'), { customer_id });
    expect(body.notification_status).toBe('pending');
    await delayAnswers();
    await setSandbox('aldeamo-service', { failure_rate: 0 });
    await crashOnceAccepted();
    await trio.start('payment-service');

    const payment = await untilSent();

    expect(attemptsOf(payment)).toEqual([
      ['Aldeamo', 'not_sent', 'sandbox_failure'],
      ['Twilio', 'not_sent', 'sandbox_failure'],
      ['Aldeamo', 'accepted', null],
    ]);
    expect(await ledgerOf('aldeamo-service')).toHaveLength(1);
  });
});

test('given a held provider, a payment-service that is killed and started again offers no SMS to it', async () => {
  const hold = () => `${trio.url('payment-service')}/providers/Aldeamo/hold`;
  await call('PUT', hold(), { reason: 'they send twice' });
  await trio.kill('payment-service');
  await trio.start('payment-service');
  const { body } = await pay(trio.url('payment-service'), { customer_id });
  expect(attemptsOf(body)).toEqual([
    ['Aldeamo', 'not_sent', 'provider_held'],
    ['Twilio', 'accepted', null],
  ]);
  expect((await call('DELETE', hold())).status).toBe(200);
});

test('given 50 concurrent POSTs with one Idempotency-Key, POST /payments makes one payment and one SMS', async () => {
  const url = `${trio.url('payment-service')}/payments`;
  const body = { amount: 100, customer_id };
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => call<PaymentView>('POST', url, body, { 'idempotency-key': 'one' })),
  );

  expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(1);
  for (const { status, headers } of answers.filter(({ status }) => status !== 201))
    expect([status, headers.get('retry-after')]).toEqual([409, '1']);
  const payment = await untilSent();
  const replay = await call<PaymentView>('POST', url, body, { 'idempotency-key': 'one' });
  expect(replay.headers.get('idempotent-replayed')).toBe('true');
  expect(replay.body).toEqual(payment);
  expect(await ledgerOf('aldeamo-service')).toHaveLength(1);
});
