import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/payment.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { type ServiceName, startTrio, type Trio } from './trio.ts';

let trio: Trio;
beforeEach(async () => {
  trio = await startTrio({
    ALDEAMO_LATENCY_MS: '400',
    GATEWAY_TIMEOUT_MS: '800',
    PROVIDER_TIMEOUT_MS: '1000',
    CIRCUIT_RESET_TIMEOUT_MS: '2000',
    NOTIFICATION_RETRY_BASE_MS: '500',
    NOTIFICATION_LEASE_MS: '3000',
  });
});
afterEach(() => trio[Symbol.asyncDispose]());

const requestsOf = async (service: ServiceName) =>
  (await call<{ requests: number }>('GET', `${trio.url(service)}/health`)).body.requests;
const ledgerOf = async (service: ServiceName) =>
  (await call<{ data: { idempotency_key: string }[] }>('GET', `${trio.url(service)}/sandbox/messages`)).body
    .data;
const theOnlyPayment = async () => {
  const { body } = await call<{ data: PaymentView[] }>('GET', `${trio.url('payment-service')}/payments`);
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

async function payAndCrash(untilAldeamoHas: number): Promise<void> {
  const lost = expect(pay(trio.url('payment-service'), { customer_id: 'crash' })).rejects.toThrow();
  await eventually(
    () => requestsOf('aldeamo-service'),
    (count) => count === untilAldeamoHas,
    5000,
  );
  await trio.kill('payment-service');
  await lost;
}

describe('payment-service is killed', () => {
  test('between call and outcome: it asks what became of the call, and nothing is sent twice', async () => {
    await payAndCrash(1);
    await trio.start('payment-service');

    const payment = await untilSent();

    expect(attemptsOf(payment)).toEqual([['Aldeamo', 'accepted', null]]);
    expect(payment.possible_duplicate).toBe(false);
    expect(await ledgerOf('aldeamo-service')).toHaveLength(1);
    expect(await ledgerOf('twilio-service')).toEqual([]);
  });

  test('between call and outcome, and aldeamo-service with it: the SMS may come twice, and the payment says so', async () => {
    await payAndCrash(1);
    await eventually(
      () => ledgerOf('aldeamo-service'),
      (ledger) => ledger.length === 1,
      5000,
    );
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
    const lost = expect(pay(trio.url('payment-service'), { customer_id: 'crash' })).rejects.toThrow();
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
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { failure_rate: 1 });
    await call('POST', `${trio.url('twilio-service')}/sandbox`, { failure_rate: 1 });
    const { body } = await pay(trio.url('payment-service'), { customer_id: 'crash' });
    expect(body.notification_status).toBe('pending');
    await call('POST', `${trio.url('aldeamo-service')}/sandbox`, { failure_rate: 0 });
    await eventually(
      () => requestsOf('aldeamo-service'),
      (count) => count === 2,
      5000,
    );
    await trio.kill('payment-service');
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
  const body = { amount: 100, customer_id: 'crash' };
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
