import { Registry } from 'prom-client';
import type { Mode } from 'service-kit/contract/mode.ts';
import type { Outcome, Receipt, ReceiptWay } from 'service-kit/contract/notification.ts';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Attempt, Payment } from '../src/domain/payment.ts';
import type { PaymentView } from '../src/domain/payment-view.ts';
import { measureObjectives } from '../src/metrics/objectives.ts';
import { StoreUnavailable } from '../src/store/store.ts';
import { body, build, cancel, hold, keyed, paymentOf, post, refused, resend } from './fixture.ts';
import { paymentNumber } from './store/store-contract.ts';

type Fixture = Awaited<ReturnType<typeof build>>;

const lost: Outcome = { outcome: 'unknown', reason: 'deadline_passed' };
const optedOut: Outcome = { outcome: 'rejected', reason: 'opted_out' };

const scrape = async ({ app }: Fixture): Promise<string> => {
  const response = await app.inject('/metrics');
  expect(response.statusCode).toBe(200);
  return response.body;
};

/** The metric's series that are not 0, by the values of their labels. */
async function valuesOf(fixture: Fixture, metric: string): Promise<Record<string, number>> {
  const samples = (await scrape(fixture)).matchAll(new RegExp(`^${metric}(?:\\{(.*)\\})? (\\S+)$`, 'gm'));
  return Object.fromEntries(
    [...samples]
      .map(([, labels = '', value]): [string, number] => [
        labels.replaceAll(/\w+="([^"]*)",?/g, '$1 ').trim(),
        Number(value),
      ])
      .filter(([, value]) => value !== 0),
  );
}

const pay = async ({ app }: Fixture) => paymentOf(await app.inject(post(body)));
const report = ({ app }: Fixture, payment: PaymentView, fields: Partial<Receipt>) =>
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

const found = async ({ store }: Fixture, { payment_id }: PaymentView) => {
  const payment = await store.find(payment_id);
  if (!payment) throw new Error('it is not there');
  return payment;
};
const accept =
  (receipts: ReceiptWay[]): (() => Promise<Outcome>) =>
  async () => ({ outcome: 'accepted', message_id: 'AL1', receipts });

test('GET /metrics names the release and the version of Node.js', async () => {
  const [node_version] = /[\d.]+/.exec(process.version) ?? [];
  expect(await scrape(await build())).toContain(
    `\npaysms_build_info{version="1.2.3",node_version="${node_version}"} 1\n`,
  );
});

test('GET /metrics has every counter from the start, at 0', async () => {
  const text = await scrape(await build());
  for (const status of ['pending', 'held', 'sent', 'delivered', 'failed', 'cancelled'])
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
    for (const status of ['delivered', 'not_sent', 'undelivered', 'filtered', 'refused'])
      expect(text).toContain(`\npaysms_receipts_total{provider="${provider}",status="${status}"} 0\n`);
    expect(text).toContain(`\npaysms_receipts_missing_total{provider="${provider}"} 0\n`);
  }
  expect(text).toContain('\npaysms_payments_with_receipts_total 0\n');
  expect(text).toContain('\npaysms_possible_duplicates_total 0\n');
  for (const reason of ['expired', 'opted_out', 'twilio_30007', 'filtered', 'sandbox_undelivered', 'other'])
    expect(text).toContain(`\npaysms_notifications_failed_total{reason="${reason}"} 0\n`);
});

describe('the counter of payments by notification status', () => {
  test('counts sent, failed and pending payments', async () => {
    const fixture = await build();
    await pay(fixture);
    await pay(fixture);
    fixture.clients.Aldeamo.answer = async () => optedOut;
    await pay(fixture);
    fixture.clients.Aldeamo.answer = async () => refused;
    fixture.clients.Twilio.answer = async () => refused;
    await pay(fixture);

    expect(await valuesOf(fixture, 'paysms_payments_total')).toEqual({ pending: 4, sent: 2, failed: 1 });
  });

  test('given respond-async, counts the payment as pending, then as sent, and no repeated request', async () => {
    const fixture = await build();
    const held = hold(fixture.clients.Aldeamo);
    await fixture.app.inject(keyed('key-1', body, { prefer: 'respond-async' }));
    await fixture.app.inject(keyed('key-1', body, { prefer: 'respond-async' }));
    expect(await valuesOf(fixture, 'paysms_payments_total')).toEqual({ pending: 1 });

    held.letGo();
    await expect.poll(() => valuesOf(fixture, 'paysms_payments_total')).toEqual({ pending: 1, sent: 1 });
  });

  test('given a resend of a failed payment, counts it as pending and sent', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => optedOut;
    const failed = await pay(fixture);
    fixture.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL2' });
    expect((await fixture.app.inject(resend(failed.payment_id, { phone: '+573001234567' }))).statusCode).toBe(
      200,
    );

    expect(await valuesOf(fixture, 'paysms_payments_total')).toEqual({ pending: 2, failed: 1, sent: 1 });
  });

  test('counts each action of an operator once', async () => {
    const fixture = await build();
    const [one, other] = [await pay(fixture), await pay(fixture)];
    for (const { payment_id } of [one, one, other]) await fixture.app.inject(resend(payment_id));
    fixture.clients.Aldeamo.answer = fixture.clients.Twilio.answer = async () => refused;
    await fixture.app.inject(cancel((await pay(fixture)).payment_id));
    expect(await valuesOf(fixture, 'paysms_operator_actions_total')).toEqual({ resend: 3, cancel: 1 });
    expect(await scrape(fixture)).toContain('paysms_operator_actions_total{action="retry"} 0');
  });

  test('given a held payment that turns out to be sent, counts it as sent', async () => {
    const fixture = await build({ unknownOutcome: 'hold' });
    fixture.clients.Aldeamo.answer = async () => lost;
    const held = await pay(fixture);
    fixture.clients.Aldeamo.known = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    await fixture.store.update({ ...(await found(fixture, held)), expires_at: new Date().toISOString() });

    await expect.poll(() => valuesOf(fixture, 'paysms_payments_total')).toEqual({ pending: 1, sent: 1 });
    expect(await valuesOf(fixture, 'paysms_possible_duplicates_total')).toEqual({});
  });

  test('counts an expired payment as failed', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => refused;
    fixture.clients.Twilio.answer = async () => refused;
    const waiting = await pay(fixture);
    await fixture.store.update({ ...(await found(fixture, waiting)), expires_at: new Date().toISOString() });

    await expect.poll(() => valuesOf(fixture, 'paysms_payments_total')).toEqual({ pending: 1, failed: 1 });
  });

  test('counts what a receipt changes, and a repeated receipt once', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    const [delivered, undelivered] = [await pay(fixture), await pay(fixture)];
    for (const _twice of [1, 2]) expect((await report(fixture, delivered, {})).statusCode).toBe(204);
    await report(fixture, undelivered, { status: 'filtered', reason: 'aldeamo_1' });

    expect(await valuesOf(fixture, 'paysms_payments_total')).toEqual({
      pending: 2,
      sent: 2,
      delivered: 1,
      failed: 1,
    });
  });

  test('counts no payment that could not be stored', async () => {
    const fixture = await build();
    await fixture.store.close();
    expect((await fixture.app.inject(post(body))).statusCode).toBe(503);
    expect(await valuesOf(fixture, 'paysms_payments_total')).toEqual({});
    fixture.store.close = async () => {}; // the app closes it, too
  });
});

test('attempts and their durations are counted by provider and outcome, without skipped attempts', async () => {
  const fixture = await build();
  await pay(fixture);
  fixture.clients.Aldeamo.answer = async () => refused;
  for (let n = 0; n < 5; n += 1) await pay(fixture); // the third opens the circuit

  const attempts = { 'Aldeamo accepted': 1, 'Aldeamo not_sent': 3, 'Twilio accepted': 5 };
  expect(await valuesOf(fixture, 'paysms_notification_attempts_total')).toEqual(attempts);
  expect(await valuesOf(fixture, 'paysms_notification_attempt_duration_seconds_count')).toEqual(attempts);
  const [sum] = Object.values(await valuesOf(fixture, 'paysms_notification_attempt_duration_seconds_sum'));
  expect(sum).toBeLessThan(1); // seconds
});

test('a circuit is shown in one state, and its transitions are counted', async () => {
  const fixture = await build();
  expect(await valuesOf(fixture, 'paysms_circuit_state')).toEqual({
    'Aldeamo closed': 1,
    'Twilio closed': 1,
  });

  fixture.clients.Aldeamo.answer = async () => refused;
  for (let n = 0; n < 3; n += 1) await pay(fixture);
  expect(await valuesOf(fixture, 'paysms_circuit_state')).toEqual({ 'Aldeamo open': 1, 'Twilio closed': 1 });

  await fixture.app.inject({ method: 'POST', url: '/force-recovery' });
  expect(await valuesOf(fixture, 'paysms_circuit_state')).toEqual({
    'Aldeamo closed': 1,
    'Twilio closed': 1,
  });
  expect(await valuesOf(fixture, 'paysms_circuit_transitions_total')).toEqual({
    'Aldeamo open': 1,
    'Aldeamo closed': 1,
  });
});

test('a held provider is shown with the age of its hold, until it is released, without a read of the store', async () => {
  const fixture = await build();
  const metric = 'paysms_provider_hold_age_seconds';
  expect(await valuesOf(fixture, metric)).toEqual({});
  const since = new Date(Date.now() - 3_600_000).toISOString();
  await fixture.store.putHold('Twilio', { since, until: null, by: null, reason: 'they send twice' });
  await fixture.app.inject('/providers');
  const { Twilio, ...others } = await valuesOf(fixture, metric);
  expect(others).toEqual({});
  expect(Twilio).toBeGreaterThanOrEqual(3600);
  expect(Twilio).toBeLessThan(3660);
  const readControls = vi.spyOn(fixture.store, 'readControls');
  await scrape(fixture);
  expect(readControls).not.toHaveBeenCalled();
  await fixture.app.inject({ method: 'DELETE', url: '/providers/Twilio/hold' });
  expect(await valuesOf(fixture, metric)).toEqual({});
});

test.each([
  ['live', 'sandbox', 1],
  ['sandbox', 'live', 1],
  ['live', 'live', 0],
  ['sandbox', 'sandbox', 0],
  ['live', undefined, 0],
] as const)('given Aldeamo %s and Twilio %s, paysms_mixed_modes is %i', async (aldeamo, twilio, mixed) => {
  const fixture = await build();
  expect(await scrape(fixture)).toMatch(/^paysms_mixed_modes 0$/m);
  const failing = { outcome: 'not_sent', reason: 'down', no_outage: true } as const;
  const of = (mode: Mode | undefined) => ({ ...failing, ...(mode && { mode }) });
  fixture.clients.Aldeamo.answer = async () => of(aldeamo);
  fixture.clients.Twilio.answer = async () => of(twilio);
  await pay(fixture);
  expect(await scrape(fixture)).toMatch(new RegExp(`^paysms_mixed_modes ${mixed}$`, 'm'));
});

describe('given a wall clock that was set', () => {
  afterEach(() => void vi.useRealTimers());
  const setWall = (byMs: number) => vi.setSystemTime(Date.now() + byMs);
  const oldestAge = async (fixture: Fixture) =>
    (await valuesOf(fixture, 'paysms_notification_backlog_oldest_age_seconds'))[''] ?? 0;

  test('back by an hour, the age of the oldest payment of the backlog still grows, from when it was first read', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => refused;
    fixture.clients.Twilio.answer = async () => refused;
    await pay(fixture);
    vi.advanceTimersByTime(60_000);
    expect(await oldestAge(fixture)).toBe(60);
    setWall(-3_600_000);
    expect(await oldestAge(fixture)).toBe(0);
    vi.advanceTimersByTime(1_200_000);
    expect(await oldestAge(fixture)).toBe(1200);
  });

  test.each([
    ['ahead', 90_000, 90],
    ['back', -90_000, -90],
  ])('%s, a gauge shows by how much until five minutes have passed', async (_where, byMs, seconds) => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const fixture = await build();
    expect(await valuesOf(fixture, 'paysms_clock_ahead_seconds')).toEqual({});
    setWall(byMs);
    expect(await valuesOf(fixture, 'paysms_clock_ahead_seconds')).toEqual({ '': seconds });
    vi.advanceTimersByTime(300_000);
    expect(await valuesOf(fixture, 'paysms_clock_ahead_seconds')).toEqual({});
  });
});

test('given a receipt for a possible duplicate, the duplicate is counted once', async () => {
  const fixture = await build();
  fixture.clients.Aldeamo.answer = async () => lost;
  const payment = await pay(fixture);
  expect(payment.possible_duplicate).toBe(true);
  expect(await valuesOf(fixture, 'paysms_possible_duplicates_total')).toEqual({ '': 1 });

  expect((await report(fixture, payment, {})).statusCode).toBe(204);
  expect(await valuesOf(fixture, 'paysms_possible_duplicates_total')).toEqual({ '': 1 });
});

describe('the receipts', () => {
  test('are counted by provider and status, a repeated one once, and one that contradicts it as well', async () => {
    const fixture = await build({ undelivered: 'fail' });
    const [payment, other] = [await pay(fixture), await pay(fixture)];
    const of = (message_id: string) => ({ message_id });
    for (const _twice of [1, 2])
      expect((await report(fixture, payment, { ...of('Aldeamo-1'), status: 'undelivered' })).statusCode).toBe(
        204,
      );
    await report(fixture, payment, of('Aldeamo-1'));
    await report(fixture, other, { ...of('Aldeamo-2'), status: 'filtered' });
    expect(await valuesOf(fixture, 'paysms_receipts_total')).toEqual({
      'Aldeamo undelivered': 1,
      'Aldeamo delivered': 1,
      'Aldeamo filtered': 1,
    });
  });

  test('of a provider that does not send what it accepted and of the one that delivers it are counted for each', async () => {
    const fixture = await build();
    const payment = await pay(fixture);
    await report(fixture, payment, { message_id: 'Aldeamo-1', status: 'not_sent' });
    await fixture.store.update({
      ...(await found(fixture, payment)),
      next_attempt_at: new Date().toISOString(),
    });
    await expect.poll(() => valuesOf(fixture, 'paysms_payments_total')).toMatchObject({ sent: 2 });
    await report(fixture, payment, {
      provider: 'Twilio',
      message_id: 'Twilio-1',
      idempotency_key: `${payment.payment_id}-2`,
    });
    expect(await valuesOf(fixture, 'paysms_receipts_total')).toEqual({
      'Aldeamo not_sent': 1,
      'Twilio delivered': 1,
    });
  });

  test('that do not come in time from a provider that has them are counted, each once', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = accept(['push']);
    const [silent, reported] = [await pay(fixture), await pay(fixture)];
    await report(fixture, reported, {});
    const payment = await found(fixture, silent);
    const [attempt] = payment.attempts;
    await fixture.store.update({
      ...payment,
      ask_at: new Date().toISOString(),
      attempts: [{ ...attempt, started_at: new Date(Date.now() - 3_600_000).toISOString() } as Attempt],
    });

    await expect
      .poll(() => valuesOf(fixture, 'paysms_receipts_missing_total'), { timeout: 5000 })
      .toEqual({ Aldeamo: 1 });
    await report(fixture, silent, {});
    expect(await valuesOf(fixture, 'paysms_receipts_missing_total')).toEqual({ Aldeamo: 1 });
    expect(await valuesOf(fixture, 'paysms_receipts_total')).toEqual({ 'Aldeamo delivered': 2 });
  });
});

describe('the reasons of failed notifications', () => {
  test('are counted, once for each notification', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    const undelivered = await pay(fixture);
    for (const _twice of [1, 2])
      await report(fixture, undelivered, { status: 'filtered', reason: 'twilio_30007' });
    fixture.clients.Aldeamo.answer = async () => optedOut;
    await pay(fixture);
    expect(await valuesOf(fixture, 'paysms_notifications_failed_total')).toEqual({
      twilio_30007: 1,
      opted_out: 1,
    });
  });

  test('given any number of unlisted reasons, share one series', async () => {
    const fixture = await build();
    for (const reason of ['twilio_99999', 'aldeamo_-77', 'a text']) {
      fixture.clients.Aldeamo.answer = async () => ({ outcome: 'rejected', reason });
      await pay(fixture);
    }
    expect(await valuesOf(fixture, 'paysms_notifications_failed_total')).toEqual({ other: 3 });
  });
});

describe('the times from a payment', () => {
  afterEach(() => void vi.useRealTimers());
  const within = async (fixture: Fixture, what: 'acceptance' | 'delivery', seconds: number) =>
    Object.entries(await valuesOf(fixture, `paysms_notification_${what}_seconds_bucket`))
      .filter(([labels]) => labels.startsWith(`${seconds} `))
      .map(([labels, count]) => [labels.split(' ')[1], count]);

  test('until it is accepted and delivered are counted by provider, within a minute and ten minutes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const fixture = await build();
    const [early, late] = [await pay(fixture), await pay(fixture)];
    const key = ({ payment_id }: PaymentView) => ({ idempotency_key: `${payment_id}-1` });
    await report(fixture, early, { message_id: 'Aldeamo-1', ...key(early) });
    vi.setSystemTime(Date.now() + 601_000);
    await report(fixture, late, { message_id: 'Aldeamo-2', ...key(late) });

    expect(await valuesOf(fixture, 'paysms_payments_created_total')).toEqual({ '': 2 });
    expect(await within(fixture, 'acceptance', 60)).toEqual([['Aldeamo', 2]]);
    expect(await within(fixture, 'delivery', 600)).toEqual([['Aldeamo', 1]]);
    expect(await valuesOf(fixture, 'paysms_notification_delivery_seconds_count')).toEqual({ Aldeamo: 2 });
  });

  test('given a provider that has receipts, count the payment as one that should be delivered, once, whichever provider delivers it', async () => {
    const fixture = await build();
    fixture.clients.Twilio.answer = accept(['push', 'pull']);
    for (const receipts of [[], ['push']] satisfies ReceiptWay[][]) {
      fixture.clients.Aldeamo.answer = accept(receipts);
      expect((await pay(fixture)).notification_status).toBe('sent');
    }
    const payment = await pay(fixture);
    expect(await valuesOf(fixture, 'paysms_payments_with_receipts_total')).toEqual({ '': 2 });

    await report(fixture, payment, { status: 'undelivered' });
    await fixture.store.update({
      ...(await found(fixture, payment)),
      next_attempt_at: new Date().toISOString(),
    });
    await expect.poll(() => valuesOf(fixture, 'paysms_payments_total')).toMatchObject({ sent: 4 });
    const of = { provider: 'Twilio', idempotency_key: `${payment.payment_id}-2` } as const;
    expect((await report(fixture, payment, of)).statusCode).toBe(204);
    expect(await valuesOf(fixture, 'paysms_payments_with_receipts_total')).toEqual({ '': 2 });
    expect(await valuesOf(fixture, 'paysms_notification_acceptance_seconds_count')).toEqual({ Aldeamo: 3 });
    expect(await valuesOf(fixture, 'paysms_notification_delivery_seconds_count')).toEqual({ Twilio: 1 });
  });

  test('given a receipt for an attempt of an unknown outcome, count the payment as accepted, and as one that should be delivered', async () => {
    const fixture = await build({ unknownOutcome: 'hold' });
    fixture.clients.Aldeamo.answer = async () => lost;
    await report(fixture, await pay(fixture), {});
    expect(await valuesOf(fixture, 'paysms_payments_with_receipts_total')).toEqual({ '': 1 });
    expect(await valuesOf(fixture, 'paysms_notification_delivery_seconds_count')).toEqual({ Aldeamo: 1 });
  });

  test('given a rejected recipient, count nothing, and the payment as none that could be accepted, once', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => optedOut;
    const rejected = await pay(fixture);
    fixture.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL2' });
    expect(
      (await fixture.app.inject(resend(rejected.payment_id, { phone: '+573001234567' }))).statusCode,
    ).toBe(200);

    expect(await valuesOf(fixture, 'paysms_payments_created_total')).toEqual({ '': 1 });
    expect(await valuesOf(fixture, 'paysms_payments_refused_recipient_total')).toEqual({ '': 1 });
    expect(await valuesOf(fixture, 'paysms_notification_acceptance_seconds_count')).toEqual({});
  });

  test('given a suppressed phone, count nothing, and the payment as none that could be accepted', async () => {
    const fixture = await build();
    const phone = '+573001234567';
    await fixture.app.inject({ ...post({ phone, reason: 'asked us to' }), url: '/suppressions' });
    await fixture.app.inject(post({ amount: 100, customer_id: '1', phone }));
    expect(await valuesOf(fixture, 'paysms_payments_created_total')).toEqual({ '': 1 });
    expect(await valuesOf(fixture, 'paysms_payments_refused_recipient_total')).toEqual({ '': 1 });
    expect(await valuesOf(fixture, 'paysms_notifications_failed_total')).toMatchObject({ suppressed: 1 });
  });

  test('given a recipient without a known phone, count the payment once as none that could be accepted', async () => {
    const versions = [
      { notification_status: 'held', reason: 'phone_unknown' },
      { notification_status: 'failed', reason: 'phone_unknown' },
    ] as const;
    const metrics = new Registry();
    const measure = measureObjectives(metrics);
    let before: Payment | undefined;
    for (const version of versions) {
      const payment = paymentNumber(1, version);
      measure(payment, before);
      before = payment;
    }
    expect(await metrics.metrics()).toMatch(/^paysms_payments_created_total 1$/m);
    expect(await metrics.metrics()).toMatch(/^paysms_payments_refused_recipient_total 1$/m);
  });

  test('given a receipt that rejects an accepted SMS, still count it as accepted', async () => {
    const fixture = await build();
    fixture.clients.Aldeamo.answer = async () => ({ outcome: 'accepted', message_id: 'AL1' });
    await report(fixture, await pay(fixture), { status: 'refused', reason: 'twilio_30006' });
    expect(await valuesOf(fixture, 'paysms_payments_refused_recipient_total')).toEqual({});
    expect(await valuesOf(fixture, 'paysms_notification_acceptance_seconds_count')).toEqual({ Aldeamo: 1 });
  });
});

describe('GET /metrics, on the store', () => {
  test('shows the backlog, and the age of its oldest payment', async () => {
    const fixture = await build();
    await pay(fixture);
    expect(await scrape(fixture)).toMatch(/^paysms_notification_backlog 0$/m);
    expect(await scrape(fixture)).toMatch(/^paysms_notification_backlog_oldest_age_seconds 0$/m);
    for (const client of Object.values(fixture.clients)) client.answer = async () => refused;
    const { created_at } = await pay(fixture);
    await pay(fixture);

    expect(await valuesOf(fixture, 'paysms_notification_backlog')).toEqual({ '': 2 });
    const age = (await valuesOf(fixture, 'paysms_notification_backlog_oldest_age_seconds'))[''] ?? Number.NaN;
    expect(age).toBeGreaterThan(0);
    expect(age).toBeLessThanOrEqual((Date.now() - Date.parse(created_at)) / 1000);
    expect(await valuesOf(fixture, 'paysms_store_up')).toEqual({ '': 1 });
  });

  test('given a store that does not respond, shows it as down and no backlog', async () => {
    const fixture = await build();
    const down = () => Promise.reject(new StoreUnavailable('down'));
    Object.assign(fixture.store, { check: down, backlog: down });

    const text = await scrape(fixture);

    expect(text).toMatch(/^paysms_store_up 0$/m);
    expect(text).not.toMatch(/^paysms_notification_backlog/m);
    expect(text).toMatch(/^paysms_circuit_state\{/m);
  });

  test('given a store that can be read but not written, shows it as down and its backlog', async () => {
    const fixture = await build();
    fixture.store.check = () => Promise.reject(new StoreUnavailable('full'));
    const text = await scrape(fixture);
    expect(text).toMatch(/^paysms_store_up 0$/m);
    expect(text).toMatch(/^paysms_notification_backlog 0$/m);
  });

  test('shows how many notifications are held, by reason, and nothing while the store does not respond', async () => {
    const fixture = await build({ bounds: { modeOf: () => 'live', maxPerRecipientPerHour: 1 } });
    expect(await scrape(fixture)).toMatch(/^paysms_notifications_held\{reason="daily_limit"\} 0$/m);
    for (const phone of ['+573001234567', '+573001234567', '+573001234567', '+593991234567'])
      await fixture.app.inject(post({ ...body, phone }));
    expect(await valuesOf(fixture, 'paysms_notifications_held')).toEqual({
      recipient_limit: 2,
      country_not_allowed: 1,
    });
    fixture.store.countHeld = () => Promise.reject(new StoreUnavailable('down'));
    expect(await scrape(fixture)).not.toMatch(/^paysms_notifications_held\{/m);
  });

  test('queries the backlog once in each scrape', async () => {
    const fixture = await build();
    let queries = 0;
    const { backlog } = fixture.store;
    fixture.store.backlog = () => {
      queries += 1;
      return backlog();
    };
    await scrape(fixture);
    await scrape(fixture);
    expect(queries).toBe(2);
  });
});

test('GET /metrics shows no personal data and no label without bound', async () => {
  const fixture = await build();
  const { payment_id } = paymentOf(
    await fixture.app.inject(
      post({ ...body, customer_id: 'cliente-9', phone: '+573001234567', message: 'Pago-secreto' }),
    ),
  );
  await fixture.app.inject(`/payments/${payment_id}`);
  await fixture.app.inject('/customers/cliente-9');
  expect(await scrape(fixture)).not.toMatch(/cliente-9|3001234567|Pago-secreto|pmt_/);
});
