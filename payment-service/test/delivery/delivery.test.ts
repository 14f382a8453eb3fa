import type { FastifyBaseLogger } from 'fastify';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { watchClock } from '../../src/delivery/clock-watch.ts';
import { createDelivery } from '../../src/delivery/delivery.ts';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { endAttempt, settleAttempt, startAttempt } from '../../src/domain/attempts.ts';
import { isPossibleDuplicate } from '../../src/domain/deliveries.ts';
import { newAction, reopen } from '../../src/domain/operator-actions.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import type { RetryPolicy } from '../../src/domain/retry-policy.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import type { QueriedOutcome } from '../../src/providers/provider-answer.ts';
import { CommitUnknown, LeaseLost, StoreUnavailable } from '../../src/store/store.ts';
import { upstreamHealth } from '../fixture.ts';
import { createMemoryStore } from '../store/memory-store.ts';

const noIds = { traceparent: null, request_id: null };

const refused: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };
const lost: Outcome = { outcome: 'unknown', reason: 'deadline_passed' };
const optedOut: Outcome = { outcome: 'rejected', reason: 'opted_out' };
const neverReceived: Outcome = { outcome: 'not_sent', reason: 'never_received' };
const accepted = (message_id: string): Outcome => ({ outcome: 'accepted', message_id });

/** To no other phone. */
const again = {
  action: newAction({ action: 'resend', by: 'maria', reason: 'the customer called' }),
  phone: null,
};

const now = Date.parse('2026-03-01T12:00:00.000Z');
const hour = 3_600_000;
const leaseMs = 10_000;

// Only the clocks are faked, so that timers run for real. Math.random at 0.5 sets each retry to half of its bound.
beforeEach(() => {
  vi.useFakeTimers({ now, toFake: ['Date', 'performance'] });
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});
const pass = (ms: number) => void vi.advanceTimersByTime(ms);
/** Sets the wall clock; the monotonic one goes on as before. */
const setWall = (byMs: number) => void vi.setSystemTime(Date.now() + byMs);

/** Delivery on a store in memory. The providers respond with what `answers` and `known` contain at the time of the call. */
async function setUp({
  answers: given = {},
  ...policyChanges
}: Partial<RetryPolicy> & { answers?: Partial<Record<Provider, Outcome | Promise<Outcome>>> } = {}) {
  const store = createMemoryStore({ leaseMs });
  const policy: RetryPolicy = {
    baseMs: 5000,
    maxMs: 900_000,
    ttlMs: 24 * hour,
    unknownOutcome: 'resend',
    patienceMs: leaseMs,
    undelivered: 'resend',
    receiptTimeoutMs: 600_000,
    ...policyChanges,
  };
  const answers: Record<Provider, Outcome | Promise<Outcome>> = {
    Aldeamo: accepted('AL1'),
    Twilio: accepted('SM1'),
    ...given,
  };
  /** Responses to a status query, by the end of the attempt's key. */
  const known: Record<string, QueriedOutcome> = {};
  const healthy: Record<Provider, boolean> = { Aldeamo: false, Twilio: false };
  /** `Aldeamo -1`: a call to Aldeamo for the first attempt. `Aldeamo? -1`: a status query for it. */
  const calls: string[] = [];
  const requests: NotifyRequest[] = [];
  const queries: { key: string; startedAt: number }[] = [];
  const nameOf = (key: string) => key.slice(key.lastIndexOf('-'));
  const clientOf = (provider: Provider) => ({
    notify: async (request: NotifyRequest, key: string) => {
      calls.push(`${provider} ${nameOf(key)}`);
      requests.push(request);
      return answers[provider];
    },
    ask: async (key: string, startedAt: number) => {
      calls.push(`${provider}? ${nameOf(key)}`);
      queries.push({ key, startedAt });
      return known[nameOf(key)];
    },
    check: async () => upstreamHealth(healthy[provider]),
    readState: async () => undefined,
    findMessage: async () => 'unavailable' as const,
    close: async () => {},
  });
  const logged: string[] = [];
  const logger = (_fields: unknown, message: string) => void logged.push(message);
  const log = { info: logger, warn: logger, error: logger } as unknown as FastifyBaseLogger;
  const notifier = createNotifier({
    clients: { Aldeamo: clientOf('Aldeamo'), Twilio: clientOf('Twilio') },
    parameters: circuitBreakerDefaults,
    policy,
    log,
  });
  onTestFinished(() => notifier.close());
  const delivery = createDelivery({ store, notifier, policy, clock: watchClock({ log }) });

  const fresh = (phone: string | null = null) =>
    newPayment(
      { amount_minor: 100, currency: 'COP', customer_id: '1', phone, message: null },
      policy.ttlMs,
      noIds,
    );
  /** Stores a payment with a running first attempt, as create-payment does before the call. */
  const begin = async () => {
    const begun = delivery.begin(fresh());
    await store.insert(begun);
    return begun;
  };
  const pay = async () => (await delivery.round(await begin(), log)).payment;
  /** The record that a process leaves when it crashes during the call. */
  const crash = begin;
  const insert = async (payment: Payment) => {
    await store.insert(payment);
    return payment;
  };
  /** A turn of the outbox for the one payment that is due. */
  const turn = async () => delivery.resume(await claim(), log, new AbortController().signal);
  const claim = async (): Promise<Payment> => {
    const [claimed, ...others] = await store.claimDue(10);
    expect(others).toEqual([]);
    if (!claimed) throw new Error('nothing is due');
    return claimed;
  };
  const found = async ({ payment_id }: Payment) => (await store.find(payment_id)) as Payment;
  const open = async (...providers: Provider[]) => {
    const before = { ...answers };
    for (const provider of providers) answers[provider] = refused;
    for (let i = 0; i < circuitBreakerDefaults.consecutiveFailures; i += 1)
      await notifier.notify(notifier.begin(fresh()), async () => {});
    for (const provider of providers) expect(notifier.report()[provider].state).toBe('open');
    Object.assign(answers, before);
    calls.length = 0;
  };
  return {
    ...{ store, answers, known, healthy, calls, requests, queries, logged, log, notifier, delivery },
    ...{ fresh, begin, pay, crash, insert, turn, claim, found, open },
  };
}

function attemptsOf({ attempts }: Payment): string[] {
  return attempts.map(
    ({ provider, outcome, reason }) => `${provider} ${outcome}${reason === null ? '' : ` ${reason}`}`,
  );
}

describe('delivery, given an attempt that a crash interrupted', () => {
  test('records it as unknown, and queries its status by its key and start before sending', async () => {
    const { crash, turn, queries, calls, found } = await setUp();
    const payment = await crash();
    pass(leaseMs);
    const sent = await turn();
    expect(attemptsOf(sent)[0]).toBe('Aldeamo unknown interrupted');
    expect(sent.attempts[0]).toMatchObject({ message_id: null, duration_ms: null }); // unknown after a crash
    expect(queries).toEqual([{ key: `${payment.payment_id}-1`, startedAt: now }]);
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo -2']);
    expect(await found(payment)).toEqual(sent);
  });

  test('given that it was accepted, settles it: nothing is sent, and no duplicate is possible', async () => {
    const { crash, turn, known, calls, found, store } = await setUp();
    const payment = await crash();
    known['-1'] = accepted('AL7');
    pass(leaseMs);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(['Aldeamo accepted']);
    expect(sent).toMatchObject({
      notification_status: 'sent',
      notification_service: 'Aldeamo',
      reason: null,
      next_attempt_at: null,
      attempts: [{ message_id: 'AL7' }],
    });
    expect(isPossibleDuplicate(sent.attempts)).toBe(false);
    expect(calls).toEqual(['Aldeamo? -1']);
    expect(await found(payment)).toEqual(sent);
    pass(48 * hour);
    expect(await store.claimDue(10)).toEqual([]);
  });

  test('given that it was never received, settles it as not sent and sends again: no duplicate is possible', async () => {
    const { crash, turn, known, calls, found } = await setUp();
    const payment = await crash();
    known['-1'] = neverReceived;
    pass(leaseMs);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(['Aldeamo not_sent never_received', 'Aldeamo accepted']);
    expect(sent.notification_status).toBe('sent');
    expect(isPossibleDuplicate(sent.attempts)).toBe(false);
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo -2']);
    expect(await found(payment)).toEqual(sent);
  });

  test('given that it was rejected, fails the notification and calls no provider', async () => {
    const { crash, turn, known, calls } = await setUp();
    await crash();
    known['-1'] = optedOut;
    pass(leaseMs);
    expect(await turn()).toMatchObject({
      notification_status: 'failed',
      reason: 'opted_out',
      next_attempt_at: null,
    });
    expect(calls).toEqual(['Aldeamo? -1']);
  });

  test('given no outcome from the provider, sends again and reports a possible duplicate', async () => {
    const { crash, turn, calls } = await setUp();
    await crash();
    pass(leaseMs);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(['Aldeamo unknown interrupted', 'Aldeamo accepted']);
    expect(sent).toMatchObject({ notification_status: 'sent', notification_service: 'Aldeamo' });
    expect(isPossibleDuplicate(sent.attempts)).toBe(true);
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo -2']);
  });

  test('queries its status in each turn until the outcome is known', async () => {
    const { crash, turn, answers, known, calls } = await setUp({
      answers: { Aldeamo: refused, Twilio: refused },
    });
    await crash();
    pass(leaseMs);
    await turn();
    known['-1'] = accepted('AL7');
    answers.Twilio = accepted('SM1');
    pass(5000);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual([
      'Aldeamo accepted interrupted',
      'Aldeamo not_sent connection_refused',
      'Twilio not_sent connection_refused',
    ]);
    expect(sent).toMatchObject({ notification_status: 'sent', notification_service: 'Aldeamo' });
    expect(isPossibleDuplicate(sent.attempts)).toBe(false);
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo -2', 'Twilio -3', 'Aldeamo? -1']);
  });

  test('given a second attempt with an unknown outcome, queries each provider for its own', async () => {
    const { insert, fresh, turn, known, calls } = await setUp();
    const first = endAttempt(startAttempt(fresh(), 'Aldeamo'), lost, 3000);
    await insert(startAttempt(first, 'Twilio'));
    known['-2'] = accepted('SM7');
    pass(leaseMs);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(['Aldeamo unknown deadline_passed', 'Twilio accepted']);
    expect(sent.notification_service).toBe('Twilio');
    expect(isPossibleDuplicate(sent.attempts)).toBe(true); // the first attempt is still unknown
    expect(calls.toSorted()).toEqual(['Aldeamo? -1', 'Twilio? -2']);
  });

  test('given a store that fails to record the outcome, sends nothing and leaves the attempt as it was', async () => {
    const { crash, turn, known, calls, found, store } = await setUp();
    const payment = await crash();
    known['-1'] = neverReceived;
    pass(leaseMs);
    vi.spyOn(store, 'update').mockRejectedValueOnce(new StoreUnavailable('disk full'));
    await expect(turn()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(calls).toEqual(['Aldeamo? -1']); // a status query and no send
    expect(attemptsOf(await found(payment))).toEqual(['Aldeamo null']);
    pass(leaseMs);
    expect((await turn()).notification_status).toBe('sent');
  });
});

describe('delivery, given a provider that cannot answer a status query', () => {
  const start = performance.now();
  /** Moves the monotonic clock and the wall clock. */
  const passAll = (ms: number) => {
    pass(ms);
    vi.spyOn(performance, 'now').mockReturnValue(start + Date.now() - now);
  };

  test('asks it again for as long as a lease, sends nothing meanwhile, and counts no retry', async () => {
    const { crash, turn, known, calls, found } = await setUp();
    const payment = await crash();
    known['-1'] = 'unanswered';
    passAll(leaseMs);
    for (let waited = 0; waited < leaseMs; waited += 1000) {
      const waiting = await turn();
      expect(attemptsOf(waiting)).toEqual(['Aldeamo unknown interrupted']);
      expect(waiting).toMatchObject({ notification_status: 'pending', retries: 0 });
      expect(waiting).toEqual(await found(payment));
      passAll(1000);
    }
    expect(new Set(calls)).toEqual(new Set(['Aldeamo? -1']));
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(['Aldeamo unknown interrupted', 'Aldeamo accepted']);
    expect(isPossibleDuplicate(sent.attempts)).toBe(true);
  });

  test('and then answers, settles the attempt: nothing is sent, and no duplicate is possible', async () => {
    const { crash, turn, known, calls } = await setUp();
    await crash();
    known['-1'] = 'unanswered';
    passAll(leaseMs);
    await turn();
    known['-1'] = accepted('AL7');
    passAll(1000);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(['Aldeamo accepted']);
    expect(isPossibleDuplicate(sent.attempts)).toBe(false);
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo? -1']);
  });

  test('and then answers that it does not know, sends again at once', async () => {
    const { crash, turn, known } = await setUp();
    await crash();
    known['-1'] = 'unanswered';
    passAll(leaseMs);
    await turn();
    known['-1'] = undefined;
    passAll(1000);
    expect(attemptsOf(await turn())).toEqual(['Aldeamo unknown interrupted', 'Aldeamo accepted']);
  });

  test('while the other one knows its attempt, settles that one, and waits for nothing', async () => {
    const { insert, fresh, turn, known, calls } = await setUp();
    const first = endAttempt(startAttempt(fresh(), 'Aldeamo'), lost, 3000);
    await insert(startAttempt(first, 'Twilio'));
    Object.assign(known, { '-1': 'unanswered', '-2': accepted('SM7') });
    passAll(leaseMs);
    expect(await turn()).toMatchObject({ notification_status: 'sent', notification_service: 'Twilio' });
    expect(calls.toSorted()).toEqual(['Aldeamo? -1', 'Twilio? -2']);
  });

  test('given UNKNOWN_OUTCOME=hold, holds the notification only after that time', async () => {
    const { crash, turn, known } = await setUp({ unknownOutcome: 'hold' });
    await crash();
    known['-1'] = 'unanswered';
    passAll(leaseMs);
    expect((await turn()).notification_status).not.toBe('held');
    passAll(leaseMs);
    expect((await turn()).notification_status).toBe('held');
  });

  test('given a resend, leaves the notification to the outbox, which asks again', async () => {
    const { crash, turn, known, calls, delivery, store, log } = await setUp({ unknownOutcome: 'hold' });
    const payment = await crash();
    passAll(leaseMs);
    const held = await turn();
    known['-1'] = 'unanswered';
    calls.length = 0;
    const reopened = await delivery.resend(await store.claim(held), again, log);
    expect(reopened).toMatchObject({ notification_status: 'pending', payment_id: payment.payment_id });
    expect(calls).toEqual(['Aldeamo? -1']);
    passAll(1000);
    known['-1'] = accepted('AL7');
    expect(attemptsOf(await turn())).toEqual(['Aldeamo accepted']);
  });
});

describe('settling attempts whose outcome was unknown', () => {
  const unknown = async (...providers: Provider[]) => {
    const { fresh } = await setUp();
    return providers.reduce(
      (payment, provider) => endAttempt(startAttempt(payment, provider), lost, 1),
      fresh(),
    );
  };

  test.each<[first: Outcome, second: Outcome, status: string, service: Provider | null, duplicate: boolean]>([
    [accepted('AL1'), neverReceived, 'sent', 'Aldeamo', false],
    [neverReceived, accepted('SM1'), 'sent', 'Twilio', false],
    [accepted('AL1'), accepted('SM1'), 'sent', 'Twilio', true],
    [accepted('AL1'), optedOut, 'sent', 'Aldeamo', false],
    [optedOut, accepted('SM1'), 'sent', 'Twilio', false],
    [neverReceived, neverReceived, 'pending', null, false],
    [neverReceived, optedOut, 'failed', null, false],
  ])('given %j and %j, sets the status to %s and the service to %s', async (first, second, notification_status, notification_service, duplicate) => {
    const settled = settleAttempt(settleAttempt(await unknown('Aldeamo', 'Twilio'), 0, first), 1, second);
    expect(settled).toMatchObject({ notification_status, notification_service });
    expect(isPossibleDuplicate(settled.attempts)).toBe(duplicate);
  });

  test('leaves the earlier reason on record only for an accepted attempt that another one followed', async () => {
    const settled = settleAttempt(
      settleAttempt(await unknown('Aldeamo', 'Twilio'), 0, accepted('AL1')),
      1,
      accepted('SM1'),
    );
    expect(settled.attempts).toMatchObject([
      { outcome: 'accepted', reason: 'deadline_passed', message_id: 'AL1' },
      { outcome: 'accepted', reason: null, message_id: 'SM1' },
    ]);
    const never = settleAttempt(await unknown('Aldeamo', 'Twilio'), 0, neverReceived);
    expect(never.attempts[0]).toMatchObject({ outcome: 'not_sent', reason: 'never_received' });
  });

  // If the attempt that is settled last decided alone, a later not_sent would override the rejection.
  test('given a rejection and a not_sent outcome, fails the notification in whatever order they are settled', async () => {
    const { insert, fresh, turn, known, calls } = await setUp();
    const first = endAttempt(startAttempt(fresh(), 'Aldeamo'), lost, 3000);
    await insert(startAttempt(first, 'Twilio'));
    known['-1'] = optedOut;
    known['-2'] = neverReceived;
    pass(leaseMs);
    const failed = await turn();
    expect(calls.toSorted()).toEqual(['Aldeamo? -1', 'Twilio? -2']);
    expect(failed).toMatchObject({ notification_status: 'failed', reason: 'opted_out' });
  });

  // Settling has to clear next_attempt_at, because the payment still has the time of its scheduled retry.
  test('given that a notification with a scheduled retry was sent, clears its next attempt', async () => {
    const { pay, turn, known, answers } = await setUp({ answers: { Aldeamo: lost, Twilio: refused } });
    const pending = await pay();
    expect(pending.next_attempt_at).not.toBeNull();
    known['-1'] = accepted('AL7');
    answers.Aldeamo = refused;
    pass(5000);
    expect(await turn()).toMatchObject({
      notification_status: 'sent',
      next_attempt_at: null,
    });
  });
});

describe('delivery, while the process stops', () => {
  const stopped = AbortSignal.abort();

  test('releases a claimed notification, still due, and calls no provider', async () => {
    const { crash, claim, calls, delivery, log, store } = await setUp();
    await crash();
    pass(leaseMs);
    const released = await delivery.resume(await claim(), log, stopped);
    expect(attemptsOf(released)).toEqual(['Aldeamo unknown interrupted']);
    expect(calls).toEqual([]);
    expect(await store.claimDue(10)).toHaveLength(1);
  });

  test('drain waits for rounds that no client waits for any more', async () => {
    const { begin, delivery, log, answers, found } = await setUp();
    const held = Promise.withResolvers<Outcome>();
    answers.Aldeamo = held.promise as unknown as Outcome;
    const payment = await begin();
    void delivery.round(payment, log);
    const drained = delivery.drain();
    held.resolve(accepted('AL1'));
    await drained;
    expect(attemptsOf(await found(payment))).toEqual(['Aldeamo accepted']);
  });
});

describe('delivery, given UNKNOWN_OUTCOME=hold', () => {
  test('holds the notification after a crash, and sends nothing', async () => {
    const { crash, turn, calls, found, store } = await setUp({ unknownOutcome: 'hold' });
    const payment = await crash();
    pass(leaseMs);
    const held = await turn();
    expect(held).toMatchObject({
      notification_status: 'held',
      notification_service: null,
      reason: 'unknown_outcome',
      next_attempt_at: null,
    });
    expect(attemptsOf(held)).toEqual(['Aldeamo unknown interrupted']);
    expect(calls).toEqual(['Aldeamo? -1']);
    expect(await found(payment)).toEqual(held);
    pass(hour);
    expect(await store.claimDue(10)).toEqual([]);
  });

  test('fails a held notification when it expires', async () => {
    const { crash, turn, calls } = await setUp({ unknownOutcome: 'hold' });
    await crash();
    pass(leaseMs);
    await turn();
    pass(24 * hour);
    const failed = await turn();
    expect(failed).toMatchObject({ notification_status: 'failed', reason: 'expired' });
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo? -1']);
  });

  test('sends a held notification on a resend, as a possible duplicate', async () => {
    const { crash, turn, calls, store, delivery, log } = await setUp({ unknownOutcome: 'hold' });
    await crash();
    pass(leaseMs);
    const held = await turn();
    const sent = await delivery.resend(await store.claim(held), again, log);
    expect(attemptsOf(sent)).toEqual(['Aldeamo unknown interrupted', 'Aldeamo accepted']);
    expect(sent).toMatchObject({ reason: null, next_attempt_at: null });
    expect(isPossibleDuplicate(sent.attempts)).toBe(true);
    expect(calls.at(-1)).toBe('Aldeamo -2');
  });

  test('given a resend with another phone, sends although the old phone turns out to be rejected', async () => {
    const { crash, turn, calls, known, store, delivery, log } = await setUp({ unknownOutcome: 'hold' });
    await crash();
    pass(leaseMs);
    const held = await turn();
    known['-1'] = optedOut;
    const sent = await delivery.resend(await store.claim(held), { ...again, phone: '+573009999999' }, log);
    expect(attemptsOf(sent)).toEqual(['Aldeamo rejected opted_out', 'Aldeamo accepted']);
    expect(sent).toMatchObject({ notification_status: 'sent', phone: '+573009999999' });
    expect(isPossibleDuplicate(sent.attempts)).toBe(false);
    expect(calls.at(-1)).toBe('Aldeamo -2');
  });

  test('given a resend of a notification that turns out to be sent, sends nothing', async () => {
    const { crash, turn, calls, known, store, delivery, log } = await setUp({ unknownOutcome: 'hold' });
    await crash();
    pass(leaseMs);
    const held = await turn();
    known['-1'] = accepted('AL1');
    const sent = await delivery.resend(await store.claim(held), again, log);
    expect(attemptsOf(sent)).toEqual(['Aldeamo accepted']);
    expect(calls.at(-1)).toBe('Aldeamo? -1');
  });

  test('given an unknown outcome of a new payment, does not fail over: queries the status, then holds', async () => {
    const { pay, turn, calls, answers } = await setUp({ unknownOutcome: 'hold', answers: { Aldeamo: lost } });
    const pending = await pay();
    expect(attemptsOf(pending)).toEqual(['Aldeamo unknown deadline_passed']);
    expect(pending).toMatchObject({ notification_status: 'pending', retries: 1 });
    expect(calls).toEqual(['Aldeamo -1']);
    answers.Aldeamo = accepted('AL2');
    pass(5000);
    expect((await turn()).notification_status).toBe('held');
    expect(calls).toEqual(['Aldeamo -1', 'Aldeamo? -1']);
  });

  test('given a refused connection to Aldeamo, fails over to Twilio', async () => {
    const { pay, calls } = await setUp({ unknownOutcome: 'hold', answers: { Aldeamo: refused } });
    expect(await pay()).toMatchObject({ notification_status: 'sent', notification_service: 'Twilio' });
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2']);
  });

  test.each<[what: string, outcome: Outcome, attempts: string[]]>([
    ['accepted', accepted('AL7'), ['Aldeamo accepted']],
    ['never received', neverReceived, ['Aldeamo not_sent never_received', 'Aldeamo accepted']],
  ])('does not hold a notification that turns out to be %s', async (_what, outcome, attempts) => {
    const { crash, turn, known } = await setUp({ unknownOutcome: 'hold' });
    await crash();
    known['-1'] = outcome;
    pass(leaseMs);
    const sent = await turn();
    expect(attemptsOf(sent)).toEqual(attempts);
    expect(sent.notification_status).toBe('sent');
  });
});

describe('delivery, given a notification that no provider has accepted', () => {
  test('retries with backoff, through both providers, until it is sent', async () => {
    const { pay, turn, answers, found, store, calls } = await setUp({
      answers: { Aldeamo: refused, Twilio: refused },
    });
    const pending = await pay();
    expect(pending).toMatchObject({ notification_status: 'pending', retries: 1 });
    expect(pending.next_attempt_at).toBe(new Date(now + 2500).toISOString());
    expect(await found(pending)).toEqual(pending);
    pass(2499);
    expect(await store.claimDue(10)).toEqual([]);
    pass(1);
    const again = await turn();
    expect(again).toMatchObject({ notification_status: 'pending', retries: 2 });
    expect(again.next_attempt_at).toBe(new Date(now + 2500 + 5000).toISOString());
    answers.Twilio = accepted('SM9');
    pass(5000);
    const sent = await turn();
    expect(sent).toMatchObject({
      notification_status: 'sent',
      notification_service: 'Twilio',
      next_attempt_at: null,
      reason: null,
    });
    expect(attemptsOf(sent)).toHaveLength(6);
    expect(isPossibleDuplicate(sent.attempts)).toBe(false);
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2', 'Aldeamo -3', 'Twilio -4', 'Aldeamo -5', 'Twilio -6']);
  });

  test('fails it when its time to live has passed, and sends nothing', async () => {
    const { pay, turn, calls, found, store } = await setUp({
      ttlMs: 1000,
      answers: { Aldeamo: refused, Twilio: refused },
    });
    const pending = await pay();
    calls.length = 0;
    pass(1000); // the retry is due later, after 2500 ms
    const failed = await turn();
    expect(failed).toMatchObject({
      notification_status: 'failed',
      notification_service: null,
      reason: 'expired',
      next_attempt_at: null,
    });
    expect(calls).toEqual([]);
    expect(await found(pending)).toEqual(failed);
    pass(48 * hour);
    expect(await store.claimDue(10)).toEqual([]);
  });

  test('given that it has expired but turns out to be accepted, records it as sent', async () => {
    const { crash, turn, known, calls } = await setUp({ ttlMs: 1000 });
    await crash();
    known['-1'] = accepted('AL7');
    pass(leaseMs);
    expect(await turn()).toMatchObject({ notification_status: 'sent', reason: null });
    expect(calls).toEqual(['Aldeamo? -1']);
  });

  test('fails it as soon as a provider rejects it', async () => {
    const { pay, turn, answers, store } = await setUp({ answers: { Aldeamo: refused, Twilio: refused } });
    await pay();
    answers.Aldeamo = optedOut;
    pass(2500);
    const failed = await turn();
    expect(failed).toMatchObject({ notification_status: 'failed', reason: 'opted_out' });
    pass(48 * hour);
    expect(await store.claimDue(10)).toEqual([]);
  });
});

describe('delivery, while no provider is available', () => {
  test('postpones a notification until a circuit lets a probe through, and spends no attempt', async () => {
    const { pay, turn, open, calls, found, notifier } = await setUp({
      answers: { Aldeamo: refused, Twilio: refused },
    });
    const pending = await pay();
    await open('Aldeamo', 'Twilio');
    pass(2500);
    const postponed = await turn();
    const probeAt = Date.parse(notifier.report().Aldeamo.next_probe_at ?? '');
    expect(postponed.next_attempt_at).toBe(new Date(probeAt).toISOString());
    expect(attemptsOf(postponed)).toEqual(attemptsOf(pending));
    expect(postponed).toMatchObject({ notification_status: 'pending', retries: pending.retries });
    expect(calls).toEqual([]);
    expect(await found(pending)).toEqual(postponed);
  });

  test('records why a new payment was not sent, and waits for the probe', async () => {
    const { pay, open, calls, notifier } = await setUp();
    await open('Aldeamo', 'Twilio');
    const pending = await pay();
    expect(attemptsOf(pending)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent circuit_open']);
    expect(calls).toEqual([]);
    expect(Date.parse(pending.next_attempt_at ?? '')).toBeGreaterThanOrEqual(
      Date.parse(notifier.report().Aldeamo.next_probe_at ?? ''),
    );
  });

  test('fails a notification that has expired', async () => {
    const { pay, turn, open, calls } = await setUp({
      ttlMs: 2500,
      answers: { Aldeamo: refused, Twilio: refused },
    });
    await pay();
    await open('Aldeamo', 'Twilio');
    pass(2500);
    expect(await turn()).toMatchObject({
      notification_status: 'failed',
      reason: 'expired',
    });
    expect(calls).toEqual([]);
  });

  test('given that one circuit has closed, calls its provider and records that the other was skipped', async () => {
    const { pay, turn, open, calls, answers } = await setUp({
      answers: { Aldeamo: refused, Twilio: refused },
    });
    await pay();
    answers.Twilio = accepted('SM1');
    await open('Aldeamo');
    pass(2500);
    expect(attemptsOf(await turn()).slice(2)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio accepted']);
    expect(calls).toEqual(['Twilio -4']);
  });
});

describe('delivery, given a Retry-After', () => {
  const throttledFor = (retry_after_ms: number): Outcome => ({
    outcome: 'not_sent',
    reason: 'http_429',
    retry_after_ms,
  });

  test('of Aldeamo, sends every payment through Twilio until it has passed', async () => {
    const { pay, answers, calls, notifier } = await setUp({ answers: { Aldeamo: throttledFor(60_000) } });
    expect(attemptsOf(await pay())).toEqual(['Aldeamo not_sent http_429', 'Twilio accepted']);
    answers.Aldeamo = accepted('AL2');
    pass(59_999);
    expect(notifier.current()).toBe('Twilio');
    expect(notifier.report().Aldeamo.throttled_until).toBe(new Date(now + 60_000).toISOString());
    expect(attemptsOf(await pay())).toEqual(['Aldeamo not_sent throttled', 'Twilio accepted']);
    pass(1);
    expect(notifier.current()).toBe('Aldeamo');
    expect(notifier.report().Aldeamo.throttled_until).toBeNull();
    expect(attemptsOf(await pay())).toEqual(['Aldeamo accepted']);
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2', 'Twilio -2', 'Aldeamo -1']);
  });

  test('of Twilio, does not call Twilio until it has passed', async () => {
    const { pay, answers, calls } = await setUp({
      answers: { Aldeamo: refused, Twilio: throttledFor(60_000) },
    });
    await pay();
    answers.Twilio = accepted('SM2');
    pass(59_999);
    expect(attemptsOf(await pay())).toEqual([
      'Aldeamo not_sent connection_refused',
      'Twilio not_sent throttled',
    ]);
    pass(1);
    expect(attemptsOf(await pay())).toEqual(['Aldeamo not_sent connection_refused', 'Twilio accepted']);
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2', 'Aldeamo -1', 'Aldeamo -1', 'Twilio -2']);
  });

  test('of both providers, waits for the shorter one and spends no attempt before', async () => {
    const { pay, turn, answers, calls, found } = await setUp({
      answers: { Aldeamo: throttledFor(60_000), Twilio: throttledFor(30_000) },
    });
    const pending = await pay();
    expect(pending.next_attempt_at).toBe(new Date(now + 30_000).toISOString());
    calls.length = 0;
    answers.Aldeamo = accepted('AL2');
    answers.Twilio = accepted('SM2');
    pass(30_000);
    expect(await found(pending)).toEqual(pending);
    expect(attemptsOf(await turn()).slice(2)).toEqual(['Aldeamo not_sent throttled', 'Twilio accepted']);
    expect(calls).toEqual(['Twilio -4']);
  });

  test('that has not passed, postpones a notification that is due for another reason', async () => {
    const { pay, crash, turn, answers, calls } = await setUp({ baseMs: 1 });
    const interrupted = await crash();
    answers.Aldeamo = throttledFor(60_000);
    answers.Twilio = throttledFor(45_000);
    const other = await pay(); // is due after 45 s
    calls.length = 0;
    pass(leaseMs);
    const postponed = await turn();
    expect(postponed.payment_id).toBe(interrupted.payment_id);
    expect(postponed.next_attempt_at).toBe(new Date(now + 45_000).toISOString());
    expect(attemptsOf(postponed)).toEqual(['Aldeamo unknown interrupted']);
    expect(postponed.retries).toBe(0);
    expect(calls).toEqual(['Aldeamo? -1']);
    expect(other.next_attempt_at).toBe(new Date(now + 45_000).toISOString());
  });

  test('longer than an hour, waits for an hour, whatever the longest wait between retries', async () => {
    const { pay, answers, calls } = await setUp({
      maxMs: 100_000,
      answers: { Aldeamo: throttledFor(365 * 24 * hour) },
    });
    await pay();
    answers.Aldeamo = accepted('AL2');
    pass(hour - 1);
    await pay();
    pass(1);
    await pay();
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2', 'Twilio -2', 'Aldeamo -1']);
  });

  test('of both providers and longer than the longest wait, looks again after that, and counts no retry', async () => {
    const { pay, turn, calls } = await setUp({
      maxMs: 100_000,
      answers: { Aldeamo: throttledFor(hour), Twilio: throttledFor(hour) },
    });
    const pending = await pay();
    expect(pending.next_attempt_at).toBe(new Date(now + 100_000).toISOString());
    pass(100_000);
    expect(await turn()).toEqual({
      ...pending,
      fence: 2,
      updated_at: expect.any(String),
      next_attempt_at: new Date(now + 200_000).toISOString(),
    });
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2']);
  });

  test.each([
    ['back', -hour],
    ['ahead', hour],
  ])('while the wall clock is set %s by an hour, ends when it would have ended', async (_where, byMs) => {
    const { pay, answers, notifier } = await setUp({ answers: { Aldeamo: throttledFor(1000) } });
    await pay();
    answers.Aldeamo = accepted('AL2');
    setWall(byMs);
    expect(notifier.report().Aldeamo.throttled_until).toBe(new Date(now + byMs + 1000).toISOString());
    pass(999);
    expect(attemptsOf(await pay())).toEqual(['Aldeamo not_sent throttled', 'Twilio accepted']);
    pass(1);
    expect(attemptsOf(await pay())).toEqual(['Aldeamo accepted']);
    expect(notifier.report().Aldeamo.throttled_until).toBeNull();
  });
});

describe('delivery, given a wall clock that was set', () => {
  const down = { Aldeamo: refused, Twilio: refused };

  test('back by an hour, while circuits are open, tries again when a probe is let through', async () => {
    const { pay, turn, open, notifier } = await setUp({ answers: down });
    await pay();
    await open('Aldeamo', 'Twilio');
    pass(2500);
    setWall(-hour);
    const pending = await pay();
    const remainingMs = circuitBreakerDefaults.resetTimeout - 2500;
    expect(pending.next_attempt_at).toBe(new Date(Date.now() + remainingMs).toISOString());
    expect(notifier.report().Aldeamo.next_probe_at).toBe(pending.next_attempt_at);
    pass(remainingMs);
    expect((await turn()).payment_id).toBe(pending.payment_id);
  });

  test('ahead by two days, fails no notification as expired, and tries it once a lease', async () => {
    const { pay, turn, calls, answers, store } = await setUp({ answers: down });
    const pending = await pay();
    setWall(48 * hour);
    const waiting = await turn();
    expect(waiting).toMatchObject({ notification_status: 'pending', reason: null });
    expect(await store.claimDue(10)).toEqual([]);
    pass(leaseMs - 1);
    expect(await store.claimDue(10)).toEqual([]);
    pass(1);
    answers.Twilio = accepted('SM1');
    const sent = await turn();
    expect(sent).toMatchObject({ payment_id: pending.payment_id, notification_status: 'sent' });
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2', 'Aldeamo -3', 'Twilio -4', 'Aldeamo -5', 'Twilio -6']);
  });

  test('ahead by two days, while no provider is available, looks once a lease', async () => {
    const { pay, turn, open, calls, store } = await setUp({ answers: down });
    await pay();
    await open('Aldeamo', 'Twilio');
    setWall(48 * hour);
    for (const _lease of [1, 2]) {
      expect(await turn()).toMatchObject({ notification_status: 'pending' });
      expect(await store.claimDue(10)).toEqual([]);
      pass(leaseMs);
    }
    expect(calls).toEqual([]);
  });

  test('ahead by two days, leaves a held notification to its lease, and to a person', async () => {
    const { pay, turn, calls, found, store } = await setUp({
      unknownOutcome: 'hold',
      answers: { Aldeamo: lost, Twilio: lost },
    });
    const held = await pay();
    expect((await turnWhenDue()).notification_status).toBe('held');
    async function turnWhenDue() {
      pass(900_000);
      return turn();
    }
    setWall(48 * hour);
    for (const _lease of [1, 2]) {
      expect((await turn()).notification_status).toBe('held');
      expect(await store.claimDue(10)).toEqual([]);
      pass(leaseMs);
    }
    expect((await found(held)).notification_status).toBe('held');
    expect(calls.filter((call) => !call.includes('?'))).toEqual(['Aldeamo -1']);
  });

  test('ahead by two days for five minutes, fails a notification as expired after those', async () => {
    const { pay, turn } = await setUp({ answers: down });
    await pay();
    setWall(48 * hour);
    await turn();
    pass(300_000);
    expect(await turn()).toMatchObject({ notification_status: 'failed', reason: 'expired' });
  });

  test('ahead by two days and back within five minutes, fails no notification', async () => {
    const { pay, turn, answers, store } = await setUp({ answers: down });
    await pay();
    setWall(48 * hour);
    await turn();
    setWall(-48 * hour);
    expect(await store.bringForward(900_000, 10)).toBe(1);
    pass(leaseMs);
    answers.Aldeamo = accepted('AL1');
    expect(await turn()).toMatchObject({ notification_status: 'sent' });
  });
});

describe('delivery, given a lease that expires during a slow call', () => {
  test('rejects the late outcome and leaves the newer record', async () => {
    const { begin, turn, delivery, answers, log, logged, found, calls } = await setUp();
    const slow = Promise.withResolvers<Outcome>();
    answers.Aldeamo = slow.promise;
    const payment = await begin();
    const slowRound = delivery.round(payment, log);
    await vi.waitUntil(() => calls.length === 1);
    pass(leaseMs);
    answers.Aldeamo = accepted('AL2');
    const newer = await turn();
    expect(attemptsOf(newer)).toEqual(['Aldeamo unknown interrupted', 'Aldeamo accepted']);
    expect(newer.fence).toBe(2);
    slow.resolve(accepted('AL1'));
    expect(await slowRound).toEqual({ payment: newer, isRecorded: false, answer: undefined });
    expect(logged).toEqual(['notification handled', 'another worker has claimed this notification']);
    expect(await found(payment)).toEqual(newer);
    expect(isPossibleDuplicate(newer.attempts)).toBe(true);
  });

  test('does not fail over after it: Twilio is not called', async () => {
    const { begin, turn, delivery, answers, log, found, calls } = await setUp();
    const slow = Promise.withResolvers<Outcome>();
    answers.Aldeamo = slow.promise;
    const payment = await begin();
    const slowRound = delivery.round(payment, log);
    await vi.waitUntil(() => calls.length === 1);
    pass(leaseMs);
    answers.Aldeamo = accepted('AL2');
    const newer = await turn();
    slow.resolve(refused);
    await slowRound;
    expect(calls).toEqual(['Aldeamo -1', 'Aldeamo? -1', 'Aldeamo -2']);
    expect(await found(payment)).toEqual(newer);
  });

  test('given a turn of the outbox that lost the lease before its call, makes no call', async () => {
    const { crash, claim, delivery, log, store, calls } = await setUp();
    await crash();
    pass(leaseMs);
    const first = await claim();
    pass(leaseMs);
    await claim();
    await expect(delivery.resume(first, log, new AbortController().signal)).rejects.toThrow(first.payment_id);
    expect(calls).toEqual(['Aldeamo? -1']);
    expect((await store.find(first.payment_id))?.attempts).toMatchObject([{ outcome: null }]);
  });
});

describe('delivery, given a store that fails', () => {
  test('after the call, returns what is on record: an attempt without an outcome', async () => {
    const { begin, delivery, store, log, logged, found, turn, known } = await setUp();
    const payment = await begin();
    vi.spyOn(store, 'update').mockRejectedValueOnce(new StoreUnavailable('disk full'));
    const answerTo = () => ({ status: 201, body: 'sent' });
    const ended = await delivery.round(payment, log, answerTo);
    expect(ended).toEqual({ payment: await found(payment), isRecorded: false, answer: undefined });
    expect(attemptsOf(ended.payment)).toEqual(['Aldeamo null']);
    expect(logged).toEqual(['an outcome could not be recorded']);
    // The status query finds the outcome after the lease has expired.
    known['-1'] = accepted('AL1');
    pass(leaseMs);
    expect(attemptsOf(await turn())).toEqual(['Aldeamo accepted']);
    expect(logged).toEqual(['an outcome could not be recorded', 'notification handled']);
  });

  test('before the failover, does not call Twilio and leaves the notification to the outbox', async () => {
    const { begin, delivery, store, log, calls, turn, known } = await setUp({
      answers: { Aldeamo: refused },
    });
    const payment = await begin();
    vi.spyOn(store, 'update').mockRejectedValueOnce(new StoreUnavailable('disk full'));
    await delivery.round(payment, log);
    expect(calls).toEqual(['Aldeamo -1']);
    known['-1'] = neverReceived;
    pass(leaseMs);
    expect((await turn()).notification_service).toBe('Twilio');
  });

  test('after the failover, returns what is on record, also if the store cannot be read', async () => {
    const { begin, delivery, store, log, calls } = await setUp({ answers: { Aldeamo: refused } });
    const payment = await begin();
    const update = store.update.bind(store);
    vi.spyOn(store, 'update')
      .mockImplementationOnce(update)
      .mockRejectedValueOnce(new StoreUnavailable('disk full'));
    vi.spyOn(store, 'find').mockRejectedValueOnce(new StoreUnavailable('disk full'));
    const { payment: ended } = await delivery.round(payment, log);
    expect(calls).toEqual(['Aldeamo -1', 'Twilio -2']);
    expect(attemptsOf(ended)).toEqual(['Aldeamo not_sent connection_refused', 'Twilio null']);
  });

  test('in a commit that took effect all the same, returns what was committed', async () => {
    const { begin, delivery, store, log, found } = await setUp();
    const payment = await begin();
    const update = store.update.bind(store);
    vi.spyOn(store, 'update').mockImplementationOnce(async (...args) => {
      await update(...args);
      throw new CommitUnknown('the connection was lost');
    });
    const ended = await delivery.round(payment, log);
    expect(ended).toMatchObject({ isRecorded: false, payment: await found(payment) });
    expect(attemptsOf(ended.payment)).toEqual(['Aldeamo accepted']);
  });

  // The failover to a Twilio whose circuit is open is saved with neither a running attempt nor a next one. Such a record
  // looks held, so the outbox would not claim it before it expires.
  test('between a failover to an unavailable Twilio and the end of the round, leaves the notification due', async () => {
    const { begin, delivery, store, log, open, notifier, answers, healthy, found } = await setUp();
    await open('Aldeamo', 'Twilio');
    healthy.Aldeamo = true;
    await notifier.recover();
    answers.Aldeamo = refused;
    const payment = await begin();
    const update = store.update.bind(store);
    vi.spyOn(store, 'update')
      .mockImplementationOnce(update)
      .mockRejectedValueOnce(new StoreUnavailable('the process dies here'));
    await delivery.round(payment, log);
    expect(attemptsOf(await found(payment))).toEqual([
      'Aldeamo not_sent connection_refused',
      'Twilio not_sent circuit_open',
    ]);
    pass(hour);
    expect(await store.claimDue(10)).toHaveLength(1);
  });
});

describe('a resend of what was sent', () => {
  const tomorrow = 24 * hour;

  /** Claimed for the operator, and the resend, which goes on by itself. */
  const resendOf = async ({ store, delivery, log }: Awaited<ReturnType<typeof setUp>>, payment: Payment) =>
    delivery.resend(await store.claim(payment), again, log);

  test('has a time to live of its own, however old the payment is', async () => {
    const fixture = await setUp();
    const sent = await fixture.pay();
    pass(2 * tomorrow);
    await resendOf(fixture, sent);
    expect(fixture.requests.map(({ ttl_seconds }) => ttl_seconds)).toEqual([86_400, 86_400]);
  });

  test('given a crash between its claim and its attempt, stays sent, and nothing is sent', async () => {
    const fixture = await setUp();
    const sent = await fixture.pay();
    await fixture.store.claim(sent);
    pass(leaseMs);
    expect(await fixture.turn()).toMatchObject({ notification_status: 'sent', actions: [] });
    expect(fixture.calls).toEqual(['Aldeamo -1']);
    pass(tomorrow);
    expect(await fixture.store.claimDue(10)).toEqual([]);
  });

  test.each<[what: string, known: QueriedOutcome, attempt: string, duplicate: boolean]>([
    ['was accepted', accepted('AL2'), 'Aldeamo accepted', true],
    ['never arrived', neverReceived, 'Aldeamo not_sent never_received', false],
    ['is not known', undefined, 'Aldeamo unknown interrupted', true],
    ['cannot be asked about', 'unanswered', 'Aldeamo unknown interrupted', true],
    ['was rejected', optedOut, 'Aldeamo rejected opted_out', false],
  ])('given a crash during its call, which %s, stays sent, and nothing more is sent', async (_what, known, attempt, duplicate) => {
    const fixture = await setUp();
    const sent = await fixture.pay();
    const claimed = await fixture.store.claim(sent);
    const reopened = reopen(claimed, again.action, tomorrow);
    await fixture.store.update(startAttempt(reopened, 'Aldeamo'), undefined, claimed);
    fixture.known['-2'] = known;
    pass(leaseMs);
    const ended = await fixture.turn();
    expect(ended).toMatchObject({
      notification_status: 'sent',
      next_attempt_at: null,
      actions: [again.action],
    });
    expect(attemptsOf(ended)).toEqual(['Aldeamo accepted', attempt]);
    expect(isPossibleDuplicate(ended.attempts)).toBe(duplicate);
    expect(fixture.calls).toEqual(['Aldeamo -1', 'Aldeamo? -2']);
    pass(2 * tomorrow);
    expect(await fixture.store.claimDue(10)).toEqual([]);
  });

  test('given a call that outlasts its lease, stays sent, and the worker records nothing more', async () => {
    const fixture = await setUp();
    const sent = await fixture.pay();
    const call = Promise.withResolvers<Outcome>();
    fixture.answers.Aldeamo = call.promise;
    const resending = resendOf(fixture, sent);
    await expect.poll(() => fixture.calls.length).toBe(2);
    pass(leaseMs);
    fixture.known['-2'] = accepted('AL2');
    const settled = await fixture.turn();
    call.resolve(refused);
    expect(await resending).toEqual(settled);
    expect(settled).toMatchObject({ notification_status: 'sent', actions: [again.action] });
    expect(fixture.calls).toEqual(['Aldeamo -1', 'Aldeamo -2', 'Aldeamo? -2']);
  });

  test('keeps the time at which the provider is asked about the first SMS, unless the second is accepted', async () => {
    const fixture = await setUp();
    const receipts: Outcome = { outcome: 'accepted', message_id: 'AL1', receipts: ['pull'] };
    fixture.answers.Aldeamo = receipts;
    const sent = await fixture.pay();
    expect(sent.ask_at).not.toBeNull();
    Object.assign(fixture.answers, { Aldeamo: refused, Twilio: refused });
    pass(1000);
    const stayed = await resendOf(fixture, sent);
    expect(stayed.ask_at).toBe(sent.ask_at);
    fixture.answers.Aldeamo = { ...receipts, message_id: 'AL2' };
    expect((await resendOf(fixture, stayed)).ask_at).not.toBe(sent.ask_at);
  });

  test('given UNKNOWN_OUTCOME=hold and an unknown outcome, does not fail over, and is not held', async () => {
    const fixture = await setUp({ unknownOutcome: 'hold' });
    const sent = await fixture.pay();
    fixture.answers.Aldeamo = lost;
    const resent = await resendOf(fixture, sent);
    expect(resent).toMatchObject({ notification_status: 'sent', reason: null });
    expect(fixture.calls).toEqual(['Aldeamo -1', 'Aldeamo -2']);
    pass(2 * tomorrow);
    expect(await fixture.store.claimDue(10)).toEqual([]);
  });
});

describe('a cancellation', () => {
  test('given a crash between its seizure and its record, loses nothing: the outbox goes on', async () => {
    const { begin, store, turn, calls } = await setUp();
    await store.seize(await begin());
    pass(leaseMs);
    expect(await turn()).toMatchObject({ notification_status: 'sent' });
    expect(calls).toEqual(['Aldeamo? -1', 'Aldeamo -2']);
  });

  test('that outlasts its lease is refused, and the worker that has the notification goes on', async () => {
    const { begin, store, turn, delivery, log } = await setUp();
    const seized = await store.seize(await begin());
    pass(leaseMs);
    const sent = await turn();
    await expect(delivery.cancel(seized, again.action, log)).rejects.toBeInstanceOf(LeaseLost);
    expect(await store.find(sent.payment_id)).toMatchObject({ notification_status: 'sent' });
  });
});
