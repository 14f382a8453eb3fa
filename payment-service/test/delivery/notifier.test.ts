import type { FastifyBaseLogger } from 'fastify';
import { overloaded } from 'service-kit/client/answer.ts';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { startAttempt } from '../../src/domain/attempts.ts';
import { isPossibleDuplicate } from '../../src/domain/deliveries.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { upstreamHealth } from '../fixture.ts';

const noIds = { traceparent: null, request_id: null };

type Answer = Outcome | ((request: NotifyRequest) => Outcome | Promise<Outcome>);

const refused: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };
const lost: Outcome = { outcome: 'unknown', reason: 'deadline_passed' };
const optedOut: Outcome = { outcome: 'rejected', reason: 'opted_out' };
const tooLong: Outcome = { outcome: 'not_sent', reason: 'too_long', no_outage: true };
const accepted = (message_id: string): Outcome => ({ outcome: 'accepted', message_id });

const day = 86_400_000;
const log = { info() {}, warn() {} } as unknown as FastifyBaseLogger;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Both providers respond with what `answers` contains at the time of the call, and record their calls. */
function setUp(answers: Partial<Record<Provider, Answer>> = {}, clockAheadMs = 0) {
  const current: Record<Provider, Answer> = {
    Aldeamo: accepted('AL1'),
    Twilio: accepted('SM1'),
    ...answers,
  };
  const calls: { provider: Provider; request: NotifyRequest; key: string }[] = [];
  const healthy: Record<Provider, boolean | Promise<boolean>> = { Aldeamo: false, Twilio: false };
  const closed: Provider[] = [];
  /** Saves and calls, in the order of their start. */
  const events: string[] = [];
  const clientOf = (provider: Provider) => ({
    notify: async (request: NotifyRequest, key: string) => {
      calls.push({ provider, request, key });
      events.push(`${provider} is called`);
      const answer = current[provider];
      return typeof answer === 'function' ? answer(request) : answer;
    },
    ask: async () => undefined,
    check: async () => upstreamHealth(await healthy[provider]),
    readState: async () => undefined,
    findMessage: async () => 'unavailable' as const,
    close: async () => {
      closed.push(provider);
    },
  });
  const notifier = createNotifier({
    clients: { Aldeamo: clientOf('Aldeamo'), Twilio: clientOf('Twilio') },
    parameters: circuitBreakerDefaults,
    policy: { unknownOutcome: 'resend', receiptTimeoutMs: 600_000 },
    clock: { aheadMs: () => clockAheadMs },
    log,
  });
  const save = async (payment: Payment) => {
    events.push(`saved: ${attemptsOf(payment).join(', ')}`);
  };
  const pay = (customer_id = '123') => notifier.notify(notifier.begin(paymentOf(customer_id)), save);
  /** Opens the circuits of these providers, and drops the calls that it took. */
  const open = async (...providers: Provider[]) => {
    const before = { ...current };
    for (const provider of providers) current[provider] = refused;
    for (let i = 0; i < circuitBreakerDefaults.consecutiveFailures; i += 1) await pay();
    for (const provider of providers) expect(notifier.report()[provider].state).toBe('open');
    Object.assign(current, before);
    calls.length = 0;
    events.length = 0;
  };
  const callsTo = (provider: Provider) => calls.filter((call) => call.provider === provider).length;
  return { notifier, answers: current, healthy, closed, calls, callsTo, events, save, pay, open };
}

function paymentOf(customer_id: string): Payment {
  return newPayment(
    { amount_minor: 10_000, currency: 'COP', customer_id, phone: null, message: null },
    day,
    noIds,
  );
}

function attemptsOf({ attempts }: Payment): string[] {
  return attempts.map(
    ({ provider, outcome, reason }) => `${provider} ${outcome}${reason === null ? '' : ` ${reason}`}`,
  );
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the time that an SMS is worth delivering', () => {
  test('is what is left of its notification, at each provider', async () => {
    const { notifier, calls, save } = setUp({ Aldeamo: refused });
    const payment = paymentOf('1');
    await pass(day - 5500);
    await notifier.notify(notifier.begin(payment), save);
    expect(calls).toMatchObject([
      { provider: 'Aldeamo', request: { ttl_seconds: 6 } },
      { provider: 'Twilio', request: { ttl_seconds: 6 } },
    ]);
  });

  test('is not shortened by a clock that was set ahead', async () => {
    const { notifier, calls, save } = setUp({}, day);
    const payment = paymentOf('1');
    await pass(day + 1000);
    await notifier.notify(notifier.begin(payment), save);
    expect(calls).toMatchObject([{ request: { ttl_seconds: 86_399 } }]);
  });
});

describe('the notifier', () => {
  test.each<
    [what: string, answers: [Answer, Answer], attempts: string[], status: string, by: Provider | null]
  >([
    [
      'an acceptance by Aldeamo, does not call Twilio',
      [accepted('AL1'), refused],
      ['Aldeamo accepted'],
      'sent',
      'Aldeamo',
    ],
    [
      'a rejection by Aldeamo, fails the notification without a call to Twilio',
      [optedOut, accepted('SM1')],
      ['Aldeamo rejected opted_out'],
      'failed',
      null,
    ],
    [
      'a refused connection to Aldeamo, fails over to Twilio',
      [refused, accepted('SM1')],
      ['Aldeamo not_sent connection_refused', 'Twilio accepted'],
      'sent',
      'Twilio',
    ],
    [
      'an unknown outcome from Aldeamo, fails over to Twilio',
      [lost, accepted('SM1')],
      ['Aldeamo unknown deadline_passed', 'Twilio accepted'],
      'sent',
      'Twilio',
    ],
    [
      'a message that Aldeamo declined, fails over to Twilio',
      [tooLong, accepted('SM1')],
      ['Aldeamo not_sent too_long', 'Twilio accepted'],
      'sent',
      'Twilio',
    ],
    [
      'a rejection by Twilio after Aldeamo failed, fails the notification',
      [refused, optedOut],
      ['Aldeamo not_sent connection_refused', 'Twilio rejected opted_out'],
      'failed',
      null,
    ],
    [
      'an unknown outcome and a refused connection, stays pending',
      [lost, refused],
      ['Aldeamo unknown deadline_passed', 'Twilio not_sent connection_refused'],
      'pending',
      null,
    ],
    [
      'a message that both providers declined, stays pending',
      [tooLong, tooLong],
      ['Aldeamo not_sent too_long', 'Twilio not_sent too_long'],
      'pending',
      null,
    ],
  ])('given %s', async (_what, [aldeamo, twilio], attempts, status, by) => {
    const { pay, calls } = setUp({ Aldeamo: aldeamo, Twilio: twilio });
    const payment = await pay();
    expect(attemptsOf(payment)).toEqual(attempts);
    expect(payment).toMatchObject({ notification_status: status, notification_service: by });
    expect(calls.map(({ provider }) => provider)).toEqual(attempts.map((attempt) => attempt.split(' ')[0]));
  });

  test('sends the message and the phone of the payment, and gives each attempt its own key', async () => {
    const { notifier, calls, save } = setUp({ Aldeamo: refused });
    const phone = '+573001234567';
    const payment = newPayment(
      { amount_minor: 1, currency: 'COP', customer_id: 'c', phone, message: 'Hola' },
      day,
      noIds,
    );
    await notifier.notify(notifier.begin(payment), save);
    const request = { customer_id: 'c', message: 'Hola', phone, ttl_seconds: 86_400 };
    expect(calls).toEqual([
      { provider: 'Aldeamo', request, key: `${payment.payment_id}-1` },
      { provider: 'Twilio', request, key: `${payment.payment_id}-2` },
    ]);
  });

  test('given no phone, sends none, and records the message id and the duration', async () => {
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 120));
      return accepted('AL7');
    };
    const { pay, calls } = setUp({ Aldeamo: slow });
    const paid = pay();
    await pass(120);
    expect((await paid).attempts).toMatchObject([{ message_id: 'AL7', duration_ms: 120 }]);
    expect(calls[0]?.request).not.toHaveProperty('phone');
  });

  test('given a hanging Twilio, waits only until the deadline of its call', async () => {
    const deadline = 3000;
    const hanging = () => new Promise<Outcome>((resolve) => setTimeout(resolve, deadline, lost));
    const { pay } = setUp({ Aldeamo: refused, Twilio: hanging });
    const paid = pay();
    await pass(deadline);
    expect(attemptsOf(await paid)).toEqual([
      'Aldeamo not_sent connection_refused',
      'Twilio unknown deadline_passed',
    ]);
  });

  test.each<[what: string, answers: [Answer, Answer], possible: boolean]>([
    [
      'an unknown outcome and an acceptance by Twilio, reports a possible duplicate',
      [lost, accepted('SM1')],
      true,
    ],
    [
      'a refused connection and an acceptance by Twilio, reports no duplicate',
      [refused, accepted('SM1')],
      false,
    ],
    ['an unknown outcome and a refused connection, reports no duplicate', [lost, refused], false],
    ['an acceptance, reports no duplicate', [accepted('AL1'), refused], false],
  ])('given %s', async (_what, [aldeamo, twilio], possible) => {
    const { pay } = setUp({ Aldeamo: aldeamo, Twilio: twilio });
    expect(isPossibleDuplicate((await pay()).attempts)).toBe(possible);
  });

  test('given 60 payments whose calls end in another order, records for each its own provider and message id', async () => {
    const answerOf = (id: string, isAccepted: boolean) => async (request: NotifyRequest) => {
      const number = Number(request.customer_id);
      await new Promise((resolve) => setTimeout(resolve, (number * 37) % 101));
      return isAccepted ? accepted(`${id}${number}`) : tooLong;
    };
    const { pay } = setUp({
      Aldeamo: (request) => answerOf('AL', Number(request.customer_id) % 3 !== 0)(request),
      Twilio: answerOf('SM', true),
    });
    const paid = Array.from({ length: 60 }, (_, i) => pay(String(i)));
    await pass(1000);
    const records = (await Promise.all(paid)).map(({ customer_id, notification_service, attempts }) => [
      customer_id,
      notification_service,
      attempts.at(-1)?.message_id,
    ]);
    expect(records).toEqual(
      Array.from({ length: 60 }, (_, i) =>
        i % 3 === 0 ? [`${i}`, 'Twilio', `SM${i}`] : [`${i}`, 'Aldeamo', `AL${i}`],
      ),
    );
  });
});

describe('the notifier, with the circuits of its providers', () => {
  test.each<[what: string, answer: Outcome, failures: number]>([
    ['an acceptance by Aldeamo, counts no failure', accepted('AL1'), 0],
    ['a rejection by Aldeamo, counts no failure', optedOut, 0],
    ['a refused connection to Aldeamo, counts a failure', refused, 1],
    ['an unknown outcome from Aldeamo, counts a failure', lost, 1],
    ['a message that Aldeamo declined, counts no failure', tooLong, 0],
    ['a full queue of our own, counts no failure', overloaded, 0],
  ])('given %s', async (_what, answer, failures) => {
    const { notifier, pay } = setUp({ Aldeamo: answer });
    await pay();
    expect(notifier.report().Aldeamo).toMatchObject({ failures, consecutive_failures: failures });
    expect(notifier.report().Twilio).toMatchObject({ state: 'closed', failures: 0 });
  });

  test('given a full queue of our own, leaves the circuit closed and sends through Twilio', async () => {
    const { notifier, pay, callsTo } = setUp({ Aldeamo: overloaded });
    for (let i = 0; i < 100; i += 1) {
      expect(await pay()).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });
    }
    expect(callsTo('Twilio')).toBe(100);
    expect(notifier.report().Aldeamo).toMatchObject({
      state: 'closed',
      failures: 0,
      consecutive_failures: 0,
    });
  });

  test("given Aldeamo's circuit open, skips Aldeamo, records why, and sends through Twilio", async () => {
    const { notifier, open, save, events } = setUp();
    await open('Aldeamo');
    const begun = notifier.begin(paymentOf('123'));
    expect(attemptsOf(begun)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio null']);
    expect(notifier.current()).toBe('Twilio');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio accepted']);
    expect(payment).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });
    expect(isPossibleDuplicate(payment.attempts)).toBe(false);
    expect(events).toEqual(['Twilio is called']); // the begun attempt was stored before notify
  });

  test('given both circuits open, calls no provider and leaves the payment pending', async () => {
    const { notifier, open, save, events } = setUp();
    await open('Aldeamo', 'Twilio');
    expect(notifier.current()).toBeNull();
    const begun = notifier.begin(paymentOf('123'));
    const payment = await notifier.notify(begun, save);
    expect(payment).toBe(begun);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent circuit_open']);
    expect(payment).toMatchObject({ notification_service: null, notification_status: 'pending' });
    expect(events).toEqual([]);
  });

  test("given that Aldeamo's circuit opens between begin and notify, sends through Twilio", async () => {
    const { notifier, open, save, events } = setUp();
    const begun = notifier.begin(paymentOf('123'));
    expect(attemptsOf(begun)).toEqual(['Aldeamo null']);
    await open('Aldeamo');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio accepted']);
    expect(events).toEqual(['saved: Aldeamo not_sent circuit_open, Twilio null', 'Twilio is called']);
  });

  test('given that both circuits open between begin and notify, calls no provider', async () => {
    const { notifier, open, save, events } = setUp();
    const begun = notifier.begin(paymentOf('123'));
    await open('Aldeamo', 'Twilio');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent circuit_open']);
    expect(payment.notification_status).toBe('pending');
    expect(events).toEqual([]); // saves come before calls; the end is stored after notify
  });

  test("given that Twilio's circuit closes while a skipped attempt is saved, does not make that attempt", async () => {
    const { notifier, open, callsTo, healthy } = setUp({ Aldeamo: tooLong });
    await open('Aldeamo', 'Twilio');
    healthy.Aldeamo = true;
    await notifier.recover();
    healthy.Twilio = true;
    const notified = notifier.notify(notifier.begin(paymentOf('123')), async () => {
      await new Promise((resolve) => setTimeout(resolve, circuitBreakerDefaults.resetTimeout));
    });
    await pass(circuitBreakerDefaults.resetTimeout);
    expect(attemptsOf(await notified)).toEqual(['Aldeamo not_sent too_long', 'Twilio not_sent circuit_open']);
    expect(notifier.report().Twilio.state).toBe('closed');
    expect(callsTo('Twilio')).toBe(0);
  });

  test("given that Twilio's circuit opens between begin and notify, records its attempt as not made", async () => {
    const { notifier, open, save, events } = setUp();
    await open('Aldeamo');
    const begun = notifier.begin(paymentOf('123'));
    await open('Twilio');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent circuit_open']);
    expect(events).toEqual([]);
  });

  test('given a circuit that is due for a probe, sends one payment, and all of them after its success', async () => {
    const { open, pay, callsTo, answers, healthy } = setUp();
    const services = async (paid: Promise<Payment>[]) =>
      (await Promise.all(paid)).map(({ notification_service }) => notification_service);
    await open('Aldeamo');
    healthy.Aldeamo = new Promise(() => {}); // the background check never ends, so that a payment is the probe
    const probe = Promise.withResolvers<Outcome>();
    answers.Aldeamo = () => probe.promise;
    await pass(circuitBreakerDefaults.resetTimeout);
    const paid = Array.from({ length: 20 }, () => pay());
    await pass(0);
    expect(callsTo('Aldeamo')).toBe(1);
    probe.resolve(accepted('AL1'));
    expect(await services(paid)).toEqual(['Aldeamo', ...Array(19).fill('Twilio')]);
    expect(await services([pay(), pay()])).toEqual(['Aldeamo', 'Aldeamo']);
  });

  test('given an open circuit, sends through Twilio until the provider has recovered', async () => {
    const { notifier, open, pay, healthy } = setUp();
    await open('Aldeamo');
    await expect(notifier.recover()).resolves.toBe(false);
    expect((await pay()).notification_service).toBe('Twilio');
    healthy.Aldeamo = true;
    await expect(notifier.recover()).resolves.toBe(true);
    expect(notifier.current()).toBe('Aldeamo');
    expect((await pay()).notification_service).toBe('Aldeamo');
  });
});

describe('the notifier, saving an attempt before its call', () => {
  test.each<[what: string, answer: Outcome, saved: string]>([
    ['failed', refused, 'Aldeamo not_sent connection_refused'],
    ['left the outcome unknown', lost, 'Aldeamo unknown deadline_passed'],
    ['declined', tooLong, 'Aldeamo not_sent too_long'],
  ])('given that Aldeamo %s, calls Twilio only after the save', async (_what, answer, saved) => {
    const { notifier, events } = setUp({ Aldeamo: answer });
    const disk = Promise.withResolvers<void>();
    const saving = Promise.withResolvers<Payment>();
    const notified = notifier.notify(notifier.begin(paymentOf('123')), (payment) => {
      saving.resolve(payment);
      return disk.promise;
    });
    expect(attemptsOf(await saving.promise)).toEqual([saved, 'Twilio null']);
    await pass(1000);
    expect(events).toEqual(['Aldeamo is called']);
    disk.resolve();
    expect(attemptsOf(await notified)).toEqual([saved, 'Twilio accepted']);
    expect(events).toEqual(['Aldeamo is called', 'Twilio is called']);
  });

  test.each<[what: string, answer: Outcome, failures: number]>([
    ['failed', refused, 1],
    ['declined', tooLong, 0],
  ])('given that Aldeamo %s and the save fails, does not call Twilio', async (_what, answer, failures) => {
    const { notifier, callsTo } = setUp({ Aldeamo: answer });
    const diskFull = new Error('disk full');
    const notified = notifier.notify(notifier.begin(paymentOf('123')), () => Promise.reject(diskFull));
    await expect(notified).rejects.toBe(diskFull);
    expect(callsTo('Twilio')).toBe(0);
    // A failed save is no failure of a provider.
    const counted = { state: 'closed', failures, consecutive_failures: failures };
    expect(notifier.report().Aldeamo).toMatchObject(counted);
    expect(notifier.report().Twilio).toMatchObject({ calls: 0, failures: 0 });
  });

  test('given that the circuit opened and the save fails, calls no provider', async () => {
    const { notifier, open, calls } = setUp();
    const begun = notifier.begin(paymentOf('123'));
    await open('Aldeamo');
    const before = notifier.report();
    await expect(notifier.notify(begun, () => Promise.reject(new Error('disk full')))).rejects.toThrow(
      'disk full',
    );
    expect(calls).toEqual([]);
    expect(notifier.report()).toEqual(before);
  });
});

describe('notify', () => {
  test('given no running attempt, returns the payment without a call', async () => {
    const { notifier, pay, save, calls } = setUp();
    const fresh = paymentOf('123');
    expect(await notifier.notify(fresh, save)).toBe(fresh);
    const sent = await pay();
    expect(calls).toHaveLength(1);
    expect(await notifier.notify(sent, save)).toBe(sent);
    expect(calls).toHaveLength(1);
  });

  test('given earlier attempts, continues with a key of its own', async () => {
    const { notifier, save, calls, pay, answers } = setUp({ Aldeamo: lost, Twilio: refused });
    const pending = await pay();
    answers.Aldeamo = accepted('AL9');
    const payment = await notifier.notify(startAttempt(pending, 'Aldeamo'), save);
    expect(calls.map(({ key }) => key)).toEqual([1, 2, 3].map((n) => `${payment.payment_id}-${n}`));
    expect(payment).toMatchObject({ notification_service: 'Aldeamo', notification_status: 'sent' });
    expect(isPossibleDuplicate(payment.attempts)).toBe(true);
  });
});

test('the notifier closes both clients, and leaves no timer', async () => {
  const { notifier, open, closed } = setUp();
  await open('Aldeamo', 'Twilio');
  await notifier.close();
  expect(closed.toSorted()).toEqual(['Aldeamo', 'Twilio']);
  expect(vi.getTimerCount()).toBe(0);
});
