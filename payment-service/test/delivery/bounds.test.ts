import type { FastifyBaseLogger } from 'fastify';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type BoundsSettings, createBounds } from '../../src/delivery/bounds.ts';
import { watchClock } from '../../src/delivery/clock-watch.ts';
import { createPaymentCreation } from '../../src/delivery/create-payment.ts';
import { createDelivery } from '../../src/delivery/delivery.ts';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { createNotificationResend } from '../../src/delivery/resend-notification.ts';
import { setPhone } from '../../src/delivery/set-phone.ts';
import type { Payment } from '../../src/domain/payment.ts';
import type { PaymentView } from '../../src/domain/payment-view.ts';
import type { RetryPolicy } from '../../src/domain/retry-policy.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { noBounds, upstreamHealth } from '../fixture.ts';
import { customer } from '../store/customer.ts';
import { createMemoryStore } from '../store/memory-store.ts';

const start = Date.parse('2026-03-01T12:10:00.000Z');
const minute = 60_000;
const hour = 60 * minute;
const leaseMs = 15_000;
const longestWaitMs = 15 * minute;
const phone = '+573001234567';
const other = '+573009999999';
const abroad = '+593991234567';

const accepted: Outcome = { outcome: 'accepted', message_id: 'SM1' };
const refused: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };
const lost: Outcome = { outcome: 'unknown', reason: 'deadline_passed' };
const optedOut: Outcome = { outcome: 'rejected', reason: 'opted_out' };

// Only the clocks are faked, so that the store's turns run for real.
beforeEach(() => void vi.useFakeTimers({ now: start, toFake: ['Date', 'performance'] }));
afterEach(() => void vi.useRealTimers());
const pass = (ms: number) => void vi.advanceTimersByTime(ms);
/** Sets the wall clock; the monotonic one goes on as before. */
const setWall = (byMs: number) => void vi.setSystemTime(Date.now() + byMs);

interface Options extends Partial<BoundsSettings> {
  store?: Store;
  live?: Provider[];
  /** Of these the mode is not known; it may be changed. */
  unknown?: Provider[];
  ttlMs?: number;
}

/** A process of payment-service on a store. Both providers are live, and accept everything unless a test says otherwise. */
function setUp({
  store = createMemoryStore({ leaseMs }),
  live = ['Aldeamo', 'Twilio'],
  unknown = [],
  ttlMs = 24 * hour,
  ...settings
}: Options = {}) {
  const policy: RetryPolicy = {
    baseMs: 5000,
    maxMs: longestWaitMs,
    ttlMs,
    unknownOutcome: 'resend',
    patienceMs: leaseMs,
    undelivered: 'resend',
    receiptTimeoutMs: 600_000,
  };
  const answers: Record<Provider, Outcome> = { Aldeamo: accepted, Twilio: accepted };
  const calls: [provider: Provider, request: NotifyRequest][] = [];
  const clientOf = (provider: Provider) => ({
    notify: async (request: NotifyRequest) => {
      calls.push([provider, request]);
      return answers[provider];
    },
    ask: async () => undefined,
    check: async () => upstreamHealth(true),
    readState: async () => undefined,
    findMessage: async () => 'unavailable' as const,
    close: async () => {},
  });
  const lines: unknown[] = [];
  const line = (...parts: unknown[]) => void lines.push(parts);
  const log = { info: line, warn: line, error: line } as unknown as FastifyBaseLogger;
  const clock = watchClock({ log });
  const bounds = createBounds({
    ...noBounds,
    ...settings,
    modeOf: (provider) => (unknown.includes(provider) ? null : live.includes(provider) ? 'live' : 'sandbox'),
    ...{ store, clock, policy, log },
  });
  const clients = { Aldeamo: clientOf('Aldeamo'), Twilio: clientOf('Twilio') };
  const notifier = createNotifier({ clients, parameters: circuitBreakerDefaults, policy, bounds, log });
  onTestFinished(() => notifier.close());
  const delivery = createDelivery({ store, notifier, policy, clock, bounds });
  const creation = createPaymentCreation({ store, delivery, policy, bounds });
  const resend = createNotificationResend({ store, delivery });
  let customers = 0;

  /** Pays, and returns the payment as it was answered. */
  const pay = async (
    given: { phone?: string | null; customer_id?: string; segments?: number; key?: string } = {},
    create = creation.createNotified,
  ): Promise<PaymentView> => {
    const { customer_id = `${++customers}`, segments = 1, key } = given;
    const message = segments === 1 ? 'x' : 'x'.repeat(153 * segments);
    const to = given.phone === undefined ? phone : given.phone;
    const request = { amount_minor: 100, currency: 'COP', customer_id, phone: to, message };
    return JSON.parse((await create(request, key, log)).answer.body);
  };
  const payDurable: typeof pay = (given) => pay(given, creation.createDurable);
  /** A turn of the outbox. */
  const turn = async (): Promise<Payment[]> => {
    const claimed = await store.claimDue(100);
    return Promise.all(claimed.map((payment) => delivery.resume(payment, log, new AbortController().signal)));
  };
  const providers = () => calls.map(([provider]) => provider);
  const found = async (id: string) => (await store.find(id)) as Payment;
  return {
    ...{ store, answers, calls, providers, lines, delivery, notifier, pay, payDurable, turn, found },
    resend: async (id: string, to?: string) => {
      const request = { phone: to, reason: 'the customer called', by: null, idempotencyKey: undefined };
      return (await resend(id, request, log)).payment;
    },
  };
}

const heldUntil = (reason: string, at: string) => ({
  notification_status: 'held',
  notification_service: null,
  notification: { reason, attempts: [], next_attempt_at: at },
});
const longestWait = '2026-03-01T12:25:00.000Z';
const sent = { notification_status: 'sent', notification: { reason: null, next_attempt_at: null } };

describe('a provider whose mode is not known yet', () => {
  test.each<[string, Provider[], Payment['notification_status']]>([
    ['sandbox, it is sent to', [], 'sent'],
    ['live, it stays held', ['Aldeamo'], 'held'],
  ])('counts as live: a phone of another country waits a second, and once the provider is %s', async (_what, live, status) => {
    const unknown: Provider[] = ['Aldeamo'];
    const { pay, turn, found } = setUp({ live, unknown });
    const payment = await pay({ phone: abroad });
    expect(payment).toMatchObject(heldUntil('country_not_allowed', '2026-03-01T12:10:01.000Z'));
    unknown.pop();
    pass(1000);
    await turn();
    expect(await found(payment.payment_id)).toMatchObject({ notification_status: status });
  });

  test('counts as live for the limit of a day', async () => {
    const { pay, calls } = setUp({ live: [], unknown: ['Aldeamo'], maxPerDay: 1 });
    expect(await pay()).toMatchObject(sent);
    expect(await pay()).toMatchObject(heldUntil('daily_limit', '2026-03-01T12:10:01.000Z'));
    expect(calls).toHaveLength(1);
  });

  test('does not delay what is within the bounds', async () => {
    const { pay } = setUp({ live: [], unknown: ['Aldeamo', 'Twilio'] });
    expect(await pay()).toMatchObject(sent);
  });
});

describe('a phone of a country that is not allowed', () => {
  test('is not sent to while a provider is live: by default those of the default country alone are', async () => {
    const { pay, calls, lines } = setUp();
    expect(await pay({ phone: abroad })).toMatchObject(heldUntil('country_not_allowed', longestWait));
    expect(calls).toEqual([]);
    expect(await pay()).toMatchObject(sent);
    expect(JSON.stringify(lines)).not.toContain(abroad.slice(1));
    expect(JSON.stringify(lines)).toContain('country_not_allowed');
  });

  test.each([
    ['both providers are sandboxes', { live: [] }, abroad, true],
    [
      'both are sandboxes, and the country is not listed',
      { live: [], allowedCountries: ['CO'] },
      abroad,
      false,
    ],
    ['both are sandboxes, and the country is listed', { live: [], allowedCountries: ['EC'] }, abroad, true],
    ['the country is listed', { allowedCountries: ['CO', 'EC'] }, abroad, true],
    ['the default country is not listed', { allowedCountries: ['EC'] }, phone, false],
    ['the phone is a satellite one', { allowedCountries: ['CO', 'EC'] }, '+881631234567', false],
    ['the phone is a premium-rate one', { allowedCountries: ['US'] }, '+19005551234', false],
    ['another country is the default', { defaultCountry: 'EC' }, abroad, true],
  ] satisfies [
    string,
    Options,
    string,
    boolean,
  ][])('is not sent to, nor are premium numbers: %s', async (_, options, to, isSent) => {
    const { pay, calls } = setUp(options);
    const paid = await pay({ phone: to });
    expect(paid.notification_status).toBe(isSent ? 'sent' : 'held');
    expect(calls).toHaveLength(isSent ? 1 : 0);
  });

  test('is looked at again after the longest wait, and fails with that reason once it expires', async () => {
    const { pay, turn, found, calls } = setUp({ ttlMs: 20 * minute });
    const { payment_id } = await pay({ phone: abroad });
    pass(longestWaitMs - 1);
    expect(await turn()).toEqual([]);
    pass(1);
    expect(await turn()).toMatchObject([
      { notification_status: 'held', reason: 'country_not_allowed', retries: 0, attempts: [] },
    ]);
    pass(5 * minute);
    await turn();
    expect(await found(payment_id)).toMatchObject({
      ...{ notification_status: 'failed', reason: 'country_not_allowed', next_attempt_at: null },
    });
    expect(calls).toEqual([]);
  });

  test('is sent to after a restart with its country', async () => {
    const { store, pay, found } = setUp();
    const { payment_id } = await pay({ phone: abroad });
    const restarted = setUp({ store, allowedCountries: ['EC'] });
    pass(longestWaitMs);
    await restarted.turn();
    expect(await found(payment_id)).toMatchObject({ notification_status: 'sent', reason: null });
  });

  test('is not sent to by a resend; an allowed phone that is given instead is', async () => {
    const { pay, turn, resend, calls } = setUp({ ttlMs: minute });
    const { payment_id } = await pay({ phone: abroad });
    pass(minute);
    await turn();
    expect(await resend(payment_id)).toMatchObject({
      ...{ notification_status: 'held', reason: 'country_not_allowed', attempts: [] },
    });
    expect(calls).toEqual([]);
    pass(minute);
    await turn();
    expect(await resend(payment_id, phone)).toMatchObject({ notification_status: 'sent' });
  });
});

describe('a payment without a phone of its own', () => {
  test("is bound by its customer's", async () => {
    const { store, pay, payDurable, calls, found } = setUp();
    await store.putPhone(customer('1'), abroad);
    const paid = await pay({ phone: null, customer_id: '1' });
    expect(paid).toMatchObject(heldUntil('country_not_allowed', longestWait));
    expect((await found(paid.payment_id)).phone).toBe(abroad);
    expect(await payDurable({ phone: null, customer_id: '1' })).toMatchObject(
      heldUntil('country_not_allowed', longestWait),
    );
    await store.putPhone(customer('1'), phone);
    expect(await pay({ phone: null, customer_id: '1' })).toMatchObject(sent);
    expect(calls).toHaveLength(1);
  });

  test('nor of its customer is held for a live provider, without an attempt, until the customer has one', async () => {
    const { pay, turn, found, calls, store } = setUp({ maxPerDay: 1, maxPerRecipientPerHour: 1 });
    const take = vi.spyOn(store, 'takeOfDay');
    const payments = [
      await pay({ phone: null, customer_id: '1' }),
      await pay({ phone: null, customer_id: '2' }),
    ];
    for (const payment of payments)
      expect(payment).toMatchObject({
        ...heldUntil('phone_unknown', longestWait),
        notification: { attempts: [] },
      });
    expect(calls).toEqual([]);
    expect(take).not.toHaveBeenCalled();
    await setPhone(store, customer('1'), phone);
    await turn();
    expect(await Promise.all(payments.map(({ payment_id }) => found(payment_id)))).toMatchObject([
      { notification_status: 'sent', phone, reason: null, attempts: [{ phone_last4: phone.slice(-4) }] },
      { notification_status: 'held', phone: null },
    ]);
  });

  test('is looked at again after the longest wait, and fails for want of a phone once it expires', async () => {
    const { pay, turn, found, calls, store } = setUp();
    const { payment_id } = await pay({ phone: null, customer_id: '1' });
    const { payment_id: second } = await pay({ phone: null, customer_id: '2' });
    await store.putPhone(customer('2'), phone); // by a process that ended before it released the notification
    pass(15 * minute);
    await turn();
    expect(await found(second)).toMatchObject({ notification_status: 'sent' });
    expect(await found(payment_id)).toMatchObject({ notification_status: 'held', reason: 'phone_unknown' });
    pass(24 * 60 * minute);
    await turn();
    expect(await found(payment_id)).toMatchObject({ notification_status: 'failed', reason: 'phone_unknown' });
    expect(calls).toHaveLength(1);
  });

  test('is sent by a sandbox, and by a provider whose mode is not known, which may refuse it: then it is held', async () => {
    const sandbox = setUp({ live: [] });
    expect(await sandbox.pay({ phone: null })).toMatchObject(sent);
    const unknown = setUp({ unknown: ['Aldeamo', 'Twilio'] });
    expect(await unknown.pay({ phone: null })).toMatchObject(sent);
    unknown.answers.Aldeamo = { outcome: 'rejected', reason: 'phone_unknown', no_outage: true };
    const { payment_id } = await unknown.pay({ phone: null, customer_id: '1' });
    expect(await unknown.found(payment_id)).toMatchObject({
      notification_status: 'held',
      reason: 'phone_unknown',
    });
    unknown.answers.Aldeamo = { outcome: 'accepted', message_id: 'AL2' };
    await setPhone(unknown.store, customer('1'), phone);
    await unknown.turn();
    expect(await unknown.found(payment_id)).toMatchObject({ notification_status: 'sent' });
  });

  test('does not get one that is stored after the bounds were looked at', async () => {
    const store = createMemoryStore({ leaseMs });
    const { pay, calls, found } = setUp({ store, unknown: ['Aldeamo', 'Twilio'] });
    const insert = store.insert.bind(store);
    vi.spyOn(store, 'insert').mockImplementationOnce(async (...args) => {
      await store.putPhone(customer('1'), abroad);
      return insert(...args);
    });
    const { payment_id } = await pay({ phone: null, customer_id: '1' });
    expect(calls.map(([, { phone }]) => phone)).toEqual([undefined]);
    expect((await found(payment_id)).phone).toBeNull();
  });
});

describe('the SMS of a day', () => {
  const late = () => vi.setSystemTime(Date.parse('2026-03-01T23:50:00.000Z'));

  test('are sent up to the limit; more are held until the UTC day turns, and are sent then', async () => {
    late();
    const { pay, payDurable, turn, found, calls } = setUp({ maxPerDay: 3 });
    for (let n = 0; n < 3; n += 1) expect(await pay()).toMatchObject(sent);
    const waiting = [await pay(), await payDurable()];
    for (const each of waiting)
      expect(each).toMatchObject(heldUntil('daily_limit', '2026-03-02T00:00:00.000Z'));
    pass(10 * minute - 1);
    expect(await turn()).toEqual([]);
    pass(1);
    await turn();
    for (const { payment_id } of waiting)
      expect(await found(payment_id)).toMatchObject({ notification_status: 'sent', reason: null });
    expect(calls).toHaveLength(5);
  });

  test('are looked at again after the longest wait while the day has longer, and expire with that reason', async () => {
    const { pay, turn, found } = setUp({ maxPerDay: 1, ttlMs: 20 * minute });
    await pay();
    const waiting = await pay();
    expect(waiting).toMatchObject(heldUntil('daily_limit', longestWait));
    pass(longestWaitMs);
    expect(await turn()).toMatchObject([{ reason: 'daily_limit', retries: 0 }]);
    pass(5 * minute);
    await turn();
    expect(await found(waiting.payment_id)).toMatchObject({
      ...{ notification_status: 'failed', reason: 'daily_limit' },
    });
  });

  test('are segments: a long text waits that no longer fits, and a shorter one is sent', async () => {
    const { pay } = setUp({ maxPerDay: 5 });
    expect(await pay({ segments: 3 })).toMatchObject(sent);
    expect(await pay({ segments: 3 })).toMatchObject(heldUntil('daily_limit', longestWait));
    expect(await pay({ segments: 2 })).toMatchObject(sent);
    expect(await pay()).toMatchObject(heldUntil('daily_limit', longestWait));
  });

  test('are taken in blocks of 1%, with one statement each', async () => {
    const { store, pay } = setUp({ maxPerDay: 1000 });
    const take = vi.spyOn(store, 'takeOfDay');
    for (let n = 0; n < 20; n += 1) await pay();
    expect(take).toHaveBeenCalledTimes(2);
    await pay({ segments: 11 });
    expect(take.mock.calls.map(([{ needed }]) => needed)).toEqual([1, 1, 11]);
  });

  test('are not asked for again while the limit is reached', async () => {
    const { store, pay } = setUp({ maxPerDay: 1 });
    const take = vi.spyOn(store, 'takeOfDay');
    for (let n = 0; n < 5; n += 1) await pay();
    expect(take).toHaveBeenCalledTimes(2);
  });

  test.each([
    [150],
    [1000],
  ])('never exceed a limit of %i in three processes that pay at once', async (maxPerDay) => {
    const store = createMemoryStore({ leaseMs });
    const processes = Array.from({ length: 3 }, () => setUp({ store, maxPerDay }));
    await Promise.all(
      Array.from({ length: 600 }, (_, n) => processes[n % 3]?.pay({ segments: 1 + (n % 3) })),
    );
    const offered = store
      .recorded()
      .reduce((sum, { attempts, segments }) => sum + attempts.length * segments, 0);
    expect(offered).toBeLessThanOrEqual(maxPerDay);
    expect(offered).toBeGreaterThan(maxPerDay * 0.95);
  });

  test('given a restart, begin where they were, but for the rest of a block; a limit may be raised and lowered', async () => {
    const { store, pay } = setUp({ maxPerDay: 1000 });
    await pay(); // takes 10
    const restarted = setUp({ store, maxPerDay: 12 });
    expect(await restarted.pay({ segments: 2 })).toMatchObject(sent);
    expect(await restarted.pay()).toMatchObject(heldUntil('daily_limit', longestWait));
    const lowered = setUp({ store, maxPerDay: 1 });
    expect(await lowered.pay()).toMatchObject(heldUntil('daily_limit', longestWait));
    const raised = setUp({ store, maxPerDay: 13 });
    expect(await raised.pay()).toMatchObject(sent);
    const off = setUp({ store });
    expect(await off.pay()).toMatchObject(sent);
  });

  test('stay counted for a payment that could not be recorded', async () => {
    const { store, pay } = setUp({ maxPerDay: 2 });
    vi.spyOn(store, 'insert').mockRejectedValueOnce(new StoreUnavailable('down'));
    await expect(pay()).rejects.toThrow('down');
    expect(await pay()).toMatchObject(sent);
    expect(await pay()).toMatchObject(heldUntil('daily_limit', longestWait));
  });

  test('are counted again for an attempt that a crash interrupted, which may have sent them', async () => {
    const { store, pay } = setUp({ maxPerDay: 2 });
    vi.spyOn(store, 'update').mockRejectedValueOnce(new StoreUnavailable('down'));
    await pay();
    const restarted = setUp({ store, maxPerDay: 2 });
    pass(leaseMs);
    expect(await restarted.turn()).toMatchObject([{ notification_status: 'sent' }]);
    expect(await restarted.pay()).toMatchObject({ notification: { reason: 'daily_limit' } });
  });

  test('are those that are offered to a live provider: those of a sandbox are not counted', async () => {
    const { pay, answers, providers } = setUp({ maxPerDay: 1, live: ['Twilio'] });
    expect(await pay()).toMatchObject(sent);
    expect(await pay()).toMatchObject(sent);
    answers.Aldeamo = refused;
    expect(await pay()).toMatchObject({ ...sent, notification_service: 'Twilio' });
    expect(await pay()).toMatchObject({
      notification_status: 'held',
      notification: { reason: 'daily_limit' },
    });
    expect(providers()).toEqual(['Aldeamo', 'Aldeamo', 'Aldeamo', 'Twilio', 'Aldeamo']);
  });

  test('are not counted for a request that repeats a key', async () => {
    const { pay, payDurable } = setUp({ maxPerDay: 3, maxPerRecipientPerHour: 3 });
    for (let n = 0; n < 5; n += 1) {
      expect(await pay({ key: 'key-1', customer_id: '1' })).toMatchObject(sent);
      await payDurable({ key: 'key-2', customer_id: '1' });
    }
    expect(await pay({ key: 'key-3' })).toMatchObject(sent);
    expect(await pay({ key: 'key-4', customer_id: '4' })).toMatchObject(
      heldUntil('daily_limit', longestWait),
    );
    expect(await pay({ key: 'key-4', customer_id: '4' })).toMatchObject(
      heldUntil('daily_limit', longestWait),
    );
  });

  test('do not turn by a clock that was set ahead, until its time is accepted', async () => {
    const { pay } = setUp({ maxPerDay: 1 });
    await pay();
    setWall(24 * hour);
    expect(await pay()).toMatchObject({ notification: { reason: 'daily_limit' } });
    pass(5 * minute);
    expect(await pay()).toMatchObject(sent);
  });

  test('given a clock that was set back, are those of the day that it shows', async () => {
    vi.setSystemTime(Date.parse('2026-03-02T00:05:00.000Z'));
    const { pay } = setUp({ maxPerDay: 1 });
    await pay();
    setWall(-hour);
    expect(await pay()).toMatchObject(sent);
    expect(await pay()).toMatchObject(heldUntil('daily_limit', '2026-03-01T23:20:00.000Z'));
    setWall(hour);
    expect(await pay()).toMatchObject({ notification: { reason: 'daily_limit' } });
  });
});

describe('the SMS to a recipient in an hour', () => {
  test('are sent up to the limit; more are held until the hour turns, and are sent then', async () => {
    vi.setSystemTime(Date.parse('2026-03-01T12:50:00.000Z'));
    const { pay, turn, found } = setUp({ maxPerRecipientPerHour: 2 });
    expect([await pay(), await pay()]).toMatchObject([sent, sent]);
    const waiting = await pay();
    expect(waiting).toMatchObject(heldUntil('recipient_limit', '2026-03-01T13:00:00.000Z'));
    expect(await pay({ phone: other })).toMatchObject(sent);
    pass(10 * minute - 1);
    expect(await turn()).toEqual([]);
    pass(1);
    await turn();
    expect(await found(waiting.payment_id)).toMatchObject({ notification_status: 'sent', reason: null });
  });

  test('never exceed the limit, however many payments of two processes are made at once', async () => {
    const store = createMemoryStore({ leaseMs });
    const processes = [
      setUp({ store, maxPerRecipientPerHour: 3 }),
      setUp({ store, maxPerRecipientPerHour: 3 }),
    ];
    await Promise.all(Array.from({ length: 40 }, (_, n) => processes[n % 2]?.pay()));
    expect(processes.flatMap(({ calls }) => calls)).toHaveLength(3);
    expect(await store.countHeld()).toEqual({ recipient_limit: 37 });
  });

  test('that are refused use up nothing of the day', async () => {
    const { pay } = setUp({ maxPerRecipientPerHour: 1, maxPerDay: 2 });
    expect(await pay()).toMatchObject(sent);
    for (let n = 0; n < 5; n += 1)
      expect(await pay()).toMatchObject(heldUntil('recipient_limit', longestWait));
    expect(await pay({ phone: other })).toMatchObject(sent);
  });

  test('given a text that is longer than the limit, are never sent', async () => {
    const { pay } = setUp({ maxPerRecipientPerHour: 2 });
    expect(await pay({ segments: 3 })).toMatchObject(heldUntil('recipient_limit', longestWait));
    expect(await pay({ segments: 2 })).toMatchObject(sent);
  });
});

describe('a failover', () => {
  test.each([
    ['day', { maxPerDay: 3 }, 'daily_limit'],
    ['recipient', { maxPerRecipientPerHour: 3 }, 'recipient_limit'],
  ])('is another offer of the same SMS, within the limit of the %s', async (_, settings, reason) => {
    const { pay, turn, answers, providers, store } = setUp(settings);
    answers.Aldeamo = refused;
    expect(await pay()).toMatchObject({ ...sent, notification_service: 'Twilio' });
    const waiting = await pay();
    expect(waiting).toMatchObject({
      notification_status: 'held',
      notification: {
        reason,
        next_attempt_at: longestWait,
        attempts: [{ provider: 'Aldeamo', outcome: 'not_sent' }],
      },
    });
    expect(providers()).toEqual(['Aldeamo', 'Twilio', 'Aldeamo']);
    expect(await store.countHeld()).toEqual({ [reason]: 1 });
    pass(longestWaitMs);
    expect(await turn()).toMatchObject([{ notification_status: 'held', reason, retries: 1 }]);
    expect(providers()).toHaveLength(3);
  });

  test('that is refused is counted for once', async () => {
    const { pay, answers, store } = setUp({ maxPerRecipientPerHour: 1 });
    const take = vi.spyOn(store, 'takeOfRecipient');
    answers.Aldeamo = refused;
    await pay();
    expect(take).toHaveBeenCalledTimes(2);
  });

  test('after an unknown outcome is within the limit, too', async () => {
    const { pay, answers, providers, found } = setUp({ maxPerDay: 1 });
    answers.Aldeamo = lost;
    const waiting = await pay();
    expect(waiting.notification).toMatchObject({ reason: 'daily_limit', next_attempt_at: longestWait });
    expect(providers()).toEqual(['Aldeamo']);
    expect((await found(waiting.payment_id)).attempts).toMatchObject([{ outcome: 'unknown' }]);
  });

  test('to a live provider is within the allowed countries, if the first one was a sandbox', async () => {
    const { pay, answers, providers } = setUp({ live: ['Twilio'] });
    answers.Aldeamo = refused;
    expect((await pay({ phone: abroad })).notification).toMatchObject({ reason: 'country_not_allowed' });
    expect(providers()).toEqual(['Aldeamo']);
  });

  test('given a store that cannot count, is left to the outbox with what is known of the first attempt', async () => {
    const store = createMemoryStore({ leaseMs });
    const { pay, answers, providers } = setUp({ store, maxPerDay: 1000 });
    answers.Aldeamo = refused;
    vi.spyOn(store, 'takeOfDay').mockResolvedValueOnce(1).mockRejectedValue(new StoreUnavailable('down'));
    const waiting = await pay();
    expect(waiting.notification).toMatchObject({ reason: null, attempts: [{ outcome: 'not_sent' }] });
    expect(waiting.notification.next_attempt_at).not.toBeNull();
    expect(providers()).toEqual(['Aldeamo']);
  });
});

describe('the bounds', () => {
  test('given a store that cannot count, have the notification wait, and the payment is taken', async () => {
    const store = createMemoryStore({ leaseMs });
    const { pay, turn, found, lines } = setUp({ store, maxPerRecipientPerHour: 5, maxPerDay: 5 });
    vi.spyOn(store, 'takeOfRecipient').mockRejectedValueOnce(new StoreUnavailable('down'));
    const waiting = await pay();
    expect(waiting).toMatchObject({
      notification_status: 'pending',
      notification: { reason: null, attempts: [], next_attempt_at: '2026-03-01T12:10:01.000Z' },
    });
    expect(JSON.stringify(lines)).not.toContain(phone.slice(1));
    pass(1000);
    await turn();
    expect(await found(waiting.payment_id)).toMatchObject({ notification_status: 'sent' });
    expect(await pay({ segments: 4 })).toMatchObject(sent); // what was not offered was given back
  });

  test.each([
    ['off', {}, ['insert', 'update']],
    [
      'off, by another process that has them',
      { live: [], maxPerDay: 1, maxPerRecipientPerHour: 1 },
      ['insert', 'update'],
    ],
    ['those of countries', { allowedCountries: ['CO'] }, ['insert', 'update']],
    ['a limit of a recipient', { maxPerRecipientPerHour: 9 }, ['takeOfRecipient', 'insert', 'update']],
    ['a limit of a day, within a block', { maxPerDay: 10_000 }, ['insert', 'update']],
  ] satisfies [
    string,
    Options,
    string[],
  ][])('%s cost a payment these operations of the store', async (_, options, expected) => {
    const operations: string[] = [];
    const store = new Proxy(createMemoryStore({ leaseMs }), {
      get: (target, name: keyof Store) =>
        typeof target[name] === 'function'
          ? (...args: never[]) => {
              operations.push(name);
              return (target[name] as (...args: never[]) => unknown)(...args);
            }
          : target[name],
    });
    const { pay } = setUp({ ...options, store });
    await pay();
    operations.length = 0;
    await pay();
    await pay();
    expect(operations).toEqual([...expected, ...expected]);
  });

  test.each([
    ['another phone, which is allowed', phone, { notification_status: 'sent' }],
    [
      'the same phone, which waits on',
      undefined,
      { notification_status: 'held', reason: 'country_not_allowed' },
    ],
  ])('let a notification that waits be resent with %s', async (_what, to, expected) => {
    const { pay, resend, calls } = setUp();
    const { payment_id } = await pay({ phone: '+593991234567' });
    expect(await resend(payment_id, to)).toMatchObject(expected);
    expect(calls).toHaveLength(to ? 1 : 0);
  });

  test('hold for a resend', async () => {
    const { pay, resend, answers, providers } = setUp({ maxPerDay: 1 });
    answers.Aldeamo = optedOut;
    const { payment_id } = await pay();
    expect(await resend(payment_id, other)).toMatchObject({
      ...{ notification_status: 'held', reason: 'daily_limit', next_attempt_at: longestWait },
    });
    expect(providers()).toEqual(['Aldeamo']);
  });

  test('are no reason any more once the notification waits for a provider', async () => {
    const { pay, turn, notifier, store, answers } = setUp({ maxPerRecipientPerHour: 5 });
    const waiting = await pay({ segments: 6 });
    expect(waiting.notification.reason).toBe('recipient_limit');
    Object.assign(answers, { Aldeamo: refused, Twilio: refused });
    for (let n = 0; n < 3; n += 1) await pay({ phone: `+57300000000${n}` });
    expect(notifier.current()).toBeNull();
    vi.setSystemTime(Date.now() + longestWaitMs);
    await turn();
    expect(await store.countHeld()).toEqual({});
  });
});
