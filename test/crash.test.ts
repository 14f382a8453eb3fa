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

/** Each test has one of its own, and one payment. */
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

/** From now on Aldeamo accepts, and keeps its answers back for longer than anybody waits. */
const keepAnswersBack = () => setSandbox('aldeamo-service', { late_rate: 1 });
const answerAgain = () => setSandbox('aldeamo-service', { late_rate: 0 });
const setSandbox = (service: ServiceName, settings: Record<string, number>) =>
  call('POST', `${trio.url(service)}/sandbox`, settings);

/** Kills payment-service while it waits for the answer to what Aldeamo has accepted. */
async function crashOnceAccepted(): Promise<void> {
  await eventually(
    () => ledgerOf('aldeamo-service'),
    (ledger) => ledger.length === 1,
    5000,
  );
  await trio.kill('payment-service');
  await answerAgain();
}

async function payAndCrash(): Promise<void> {
  await keepAnswersBack();
  const lost = expect(pay(trio.url('payment-service'), { customer_id })).rejects.toThrow();
  await crashOnceAccepted();
  await lost;
}

describe('payment-service is killed', () => {
  test('between call and outcome: it asks what became of the call, and nothing is sent twice', async () => {
    await payAndCrash();
    await trio.start('payment-service');

    const payment = await untilSent();

    expect(attemptsOf(payment)).toEqual([['Aldeamo', 'accepted', null]]);
    expect(payment.possible_duplicate).toBe(false);
    expect(await ledgerOf('aldeamo-service')).toHaveLength(1);
    expect(await ledgerOf('twilio-service')).toEqual([]);
  });

  test('between call and outcome, and aldeamo-service with it: the SMS may come twice, and the payment says so', async () => {
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

  test('before its call is taken: what never arrived is sent, once', async () => {
    // A frozen Aldeamo has the call in its backlog, and dies before it has read it.
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

  test("during the outbox's turn: the next turn finds what became of it", async () => {
    await setSandbox('aldeamo-service', { failure_rate: 1 });
    await setSandbox('twilio-service', { failure_rate: 1 });
    const { body } = await pay(trio.url('payment-service'), { customer_id });
    expect(body.notification_status).toBe('pending');
    await keepAnswersBack();
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

test('50 POSTs with one Idempotency-Key at once make one payment and one SMS', async () => {
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
