import type { Outcome, Receipt } from 'service-kit/contract/notification.ts';
import { describe, expect, test } from 'vitest';
import type { PaymentView } from '../src/domain/payment-view.ts';
import { StoreUnavailable } from '../src/store/store.ts';
import { body, build, hold, keyed, paymentOf, post, refused } from './fixture.ts';

type Rig = Awaited<ReturnType<typeof build>>;

const lost: Outcome = { outcome: 'unknown', reason: 'deadline_passed' };
const optedOut: Outcome = { outcome: 'rejected', reason: 'opted_out' };

const scrape = async ({ app }: Rig): Promise<string> => {
  const response = await app.inject('/metrics');
  expect(response.statusCode).toBe(200);
  return response.body;
};

/** The metric's series that are not 0, by the values of their labels. */
async function valuesOf(rig: Rig, metric: string): Promise<Record<string, number>> {
  const samples = (await scrape(rig)).matchAll(new RegExp(`^${metric}(?:\\{(.*)\\})? (\\S+)$`, 'gm'));
  return Object.fromEntries(
    [...samples]
      .map(([, labels = '', value]): [string, number] => [
        labels.replaceAll(/\w+="([^"]*)",?/g, '$1 ').trim(),
        Number(value),
      ])
      .filter(([, value]) => value !== 0),
  );
}

const pay = async ({ app }: Rig) => paymentOf(await app.inject(post(body)));
const retry = ({ app }: Rig, { payment_id }: PaymentView, payload = {}) =>
  app.inject({
    method: 'POST',
    url: `/payments/${payment_id}/notification/retry`,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(payload),
  });
const report = ({ app }: Rig, payment: PaymentView, fields: Partial<Receipt>) =>
  app.inject({
    method: 'POST',
    url: '/receipts',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify({
      provider: 'Aldeamo',
      message_id: 'AL1',
      idempotency_key: `${payment.payment_id}-1`,
      status: 'delivered',
      reason: null,
      ...fields,
    }),
  });

test('what can be counted is there from the start, at 0', async () => {
  const text = await scrape(await build());
  for (const status of ['pending', 'sent', 'delivered', 'failed'])
    expect(text).toContain(`\npaysms_payments_total{notification_status="${status}"} 0\n`);
  for (const provider of ['Aldeamo', 'Twilio']) {
    for (const outcome of ['accepted', 'rejected', 'not_sent', 'unknown'])
      expect(text).toContain(
        `\npaysms_notification_attempts_total{provider="${provider}",outcome="${outcome}"} 0\n`,
      );
    for (const state of ['closed', 'open', 'half_open'])
      expect(text).toContain(
        `\npaysms_circuit_transitions_total{provider="${provider}",state="${state}"} 0\n`,
      );
  }
  expect(text).toContain('\npaysms_possible_duplicates_total 0\n');
});

describe('payments by notification status', () => {
  test('sent, failed and pending ones', async () => {
    const rig = await build();
    await pay(rig);
    await pay(rig);
    rig.clients.Aldeamo.answer = async () => optedOut;
    await pay(rig);
    rig.clients.Aldeamo.answer = async () => refused;
    rig.clients.Twilio.answer = async () => refused;
    await pay(rig);

    expect(await valuesOf(rig, 'paysms_payments_total')).toEqual({ pending: 4, sent: 2, failed: 1 });
  });

  test('one that is answered before it is sent, and one that is repeated', async () => {
    const rig = await build();
    const held = hold(rig.clients.Aldeamo);
    await rig.app.inject(keyed('key-1', body, { prefer: 'respond-async' }));
    await rig.app.inject(keyed('key-1', body, { prefer: 'respond-async' }));
    expect(await valuesOf(rig, 'paysms_payments_total')).toEqual({ pending: 1 });

    held.letGo();
    await expect.poll(() => valuesOf(rig, 'paysms_payments_total')).toEqual({ pending: 1, sent: 1 });
  });

  test('one that failed, and that a person had sent after all', async () => {
    const rig = await build();
    rig.clients.Aldeamo.answer = async () => optedOut;
    const failed = await pay(rig);
    rig.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL2' });
    expect((await retry(rig, failed, { phone: '+573001234567' })).statusCode).toBe(200);

    expect(await valuesOf(rig, 'paysms_payments_total')).toEqual({ pending: 2, failed: 1, sent: 1 });
  });

  test('one that waits, and that its provider turns out to have sent', async () => {
    const rig = await build({ unknownOutcome: 'hold' });
    rig.clients.Aldeamo.answer = async () => lost;
    const held = await pay(rig);
    rig.clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    await rig.store.update({ ...(await found(rig, held)), expires_at: new Date().toISOString() });

    await expect.poll(() => valuesOf(rig, 'paysms_payments_total')).toEqual({ pending: 1, sent: 1 });
    expect(await valuesOf(rig, 'paysms_possible_duplicates_total')).toEqual({});
  });

  test('one that has expired', async () => {
    const rig = await build();
    rig.clients.Aldeamo.answer = async () => refused;
    rig.clients.Twilio.answer = async () => refused;
    const waiting = await pay(rig);
    await rig.store.update({ ...(await found(rig, waiting)), expires_at: new Date().toISOString() });

    await expect.poll(() => valuesOf(rig, 'paysms_payments_total')).toEqual({ pending: 1, failed: 1 });
  });

  test('ones that a receipt moves, and a receipt that is no news', async () => {
    const rig = await build();
    rig.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    const [delivered, undelivered] = [await pay(rig), await pay(rig)];
    for (const _twice of [1, 2]) expect((await report(rig, delivered, {})).statusCode).toBe(204);
    await report(rig, undelivered, { status: 'failed', reason: 'aldeamo_1' });

    expect(await valuesOf(rig, 'paysms_payments_total')).toEqual({
      pending: 2,
      sent: 2,
      delivered: 1,
      failed: 1,
    });
  });

  test('none that could not be kept', async () => {
    const rig = await build();
    await rig.store.close();
    expect((await rig.app.inject(post(body))).statusCode).toBe(503);
    expect(await valuesOf(rig, 'paysms_payments_total')).toEqual({});
    rig.store.close = async () => {}; // the app closes it, too
  });

  const found = async (rig: Rig, { payment_id }: PaymentView) => {
    const payment = await rig.store.find(payment_id);
    if (!payment) throw new Error('it is not there');
    return payment;
  };
});

test('attempts and their durations by provider and outcome; one that was not made is none', async () => {
  const rig = await build();
  await pay(rig);
  rig.clients.Aldeamo.answer = async () => refused;
  for (let n = 0; n < 5; n += 1) await pay(rig); // the third opens the circuit

  const attempts = { 'Aldeamo accepted': 1, 'Aldeamo not_sent': 3, 'Twilio accepted': 5 };
  expect(await valuesOf(rig, 'paysms_notification_attempts_total')).toEqual(attempts);
  expect(await valuesOf(rig, 'paysms_notification_attempt_duration_seconds_count')).toEqual(attempts);
  const [sum] = Object.values(await valuesOf(rig, 'paysms_notification_attempt_duration_seconds_sum'));
  expect(sum).toBeLessThan(1); // seconds
});

test('a circuit is in one state, and what it came through is counted', async () => {
  const rig = await build();
  expect(await valuesOf(rig, 'paysms_circuit_state')).toEqual({ 'Aldeamo closed': 1, 'Twilio closed': 1 });

  rig.clients.Aldeamo.answer = async () => refused;
  for (let n = 0; n < 3; n += 1) await pay(rig);
  expect(await valuesOf(rig, 'paysms_circuit_state')).toEqual({ 'Aldeamo open': 1, 'Twilio closed': 1 });

  await rig.app.inject({ method: 'POST', url: '/force-recovery' });
  expect(await valuesOf(rig, 'paysms_circuit_state')).toEqual({ 'Aldeamo closed': 1, 'Twilio closed': 1 });
  expect(await valuesOf(rig, 'paysms_circuit_transitions_total')).toEqual({
    'Aldeamo open': 1,
    'Aldeamo closed': 1,
  });
});

test('a possible duplicate is counted once, whatever is still reported of it', async () => {
  const rig = await build();
  rig.clients.Aldeamo.answer = async () => lost;
  const payment = await pay(rig);
  expect(payment.possible_duplicate).toBe(true);
  expect(await valuesOf(rig, 'paysms_possible_duplicates_total')).toEqual({ '': 1 });

  expect((await report(rig, payment, {})).statusCode).toBe(204);
  expect(await valuesOf(rig, 'paysms_possible_duplicates_total')).toEqual({ '': 1 });
});

describe('the store', () => {
  test('has a backlog, and its oldest an age', async () => {
    const rig = await build();
    await pay(rig);
    expect(await scrape(rig)).toMatch(/^paysms_notification_backlog 0$/m);
    expect(await scrape(rig)).toMatch(/^paysms_notification_backlog_oldest_age_seconds 0$/m);
    for (const client of Object.values(rig.clients)) client.answer = async () => refused;
    const { created_at } = await pay(rig);
    await pay(rig);

    expect(await valuesOf(rig, 'paysms_notification_backlog')).toEqual({ '': 2 });
    const age = (await valuesOf(rig, 'paysms_notification_backlog_oldest_age_seconds'))[''] ?? Number.NaN;
    expect(age).toBeGreaterThan(0);
    expect(age).toBeLessThanOrEqual((Date.now() - Date.parse(created_at)) / 1000);
    expect(await valuesOf(rig, 'paysms_store_up')).toEqual({ '': 1 });
  });

  test('that does not answer says nothing, and a scrape says so', async () => {
    const rig = await build();
    const down = () => Promise.reject(new StoreUnavailable('down'));
    Object.assign(rig.store, { check: down, backlog: down });

    const text = await scrape(rig);

    expect(text).toMatch(/^paysms_store_up 0$/m);
    expect(text).not.toMatch(/^paysms_notification_backlog/m);
    expect(text).toMatch(/^paysms_circuit_state\{/m);
  });

  test('that can be read but not written is down, and its backlog is seen', async () => {
    const rig = await build();
    rig.store.check = () => Promise.reject(new StoreUnavailable('full'));
    const text = await scrape(rig);
    expect(text).toMatch(/^paysms_store_up 0$/m);
    expect(text).toMatch(/^paysms_notification_backlog 0$/m);
  });

  test('is asked once for a scrape, and anew for the next one', async () => {
    const rig = await build();
    let asked = 0;
    const { backlog } = rig.store;
    rig.store.backlog = () => {
      asked += 1;
      return backlog();
    };
    await scrape(rig);
    await scrape(rig);
    expect(asked).toBe(2);
  });
});

test('nothing that is private or unbounded is shown', async () => {
  const rig = await build();
  const { payment_id } = paymentOf(
    await rig.app.inject(
      post({ ...body, customer_id: 'cliente-9', phone: '+573001234567', message: 'Pago-secreto' }),
    ),
  );
  await rig.app.inject(`/payments/${payment_id}`);
  await rig.app.inject('/customers/cliente-9');
  expect(await scrape(rig)).not.toMatch(/cliente-9|3001234567|Pago-secreto|pmt_/);
});
