import type { FastifyBaseLogger } from 'fastify';
import { overloaded } from 'service-kit/client/answer.ts';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { startAttempt } from '../../src/domain/attempts.ts';
import { isPossibleDuplicate, newPayment, type Payment } from '../../src/domain/payment.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';

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

/** Whoever is asked answers by what `answers` says at that moment, and keeps what it was asked. */
function setUp(answers: Partial<Record<Provider, Answer>> = {}) {
  const current: Record<Provider, Answer> = {
    Aldeamo: accepted('AL1'),
    Twilio: accepted('SM1'),
    ...answers,
  };
  const calls: { provider: Provider; request: NotifyRequest; key: string }[] = [];
  const well: Record<Provider, boolean | Promise<boolean>> = { Aldeamo: false, Twilio: false };
  const closed: Provider[] = [];
  /** Saves and calls in the order that they began in. */
  const events: string[] = [];
  const clientOf = (provider: Provider) => ({
    notify: async (request: NotifyRequest, key: string) => {
      calls.push({ provider, request, key });
      events.push(`${provider} is called`);
      const answer = current[provider];
      return typeof answer === 'function' ? answer(request) : answer;
    },
    ask: async () => undefined,
    check: async () => well[provider],
    close: async () => {
      closed.push(provider);
    },
  });
  const notifier = createNotifier({
    clients: { Aldeamo: clientOf('Aldeamo'), Twilio: clientOf('Twilio') },
    parameters: circuitBreakerDefaults,
    policy: { maxMs: 900_000, unknownOutcome: 'resend' },
    log,
  });
  const save = async (payment: Payment) => {
    events.push(`saved: ${attemptsOf(payment).join(', ')}`);
  };
  const pay = (customer_id = '123') => notifier.notify(notifier.begin(paymentOf(customer_id)), save);
  /** Opens Aldeamo's circuit, or both, and forgets the calls that it took. */
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
  return { notifier, answers: current, well, closed, calls, callsTo, events, save, pay, open };
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

describe('a notification', () => {
  test.each<
    [what: string, answers: [Answer, Answer], attempts: string[], status: string, by: Provider | null]
  >([
    ['accepted by Aldeamo', [accepted('AL1'), refused], ['Aldeamo accepted'], 'sent', 'Aldeamo'],
    ['rejected by Aldeamo', [optedOut, accepted('SM1')], ['Aldeamo rejected opted_out'], 'failed', null],
    [
      'that Aldeamo could not be given',
      [refused, accepted('SM1')],
      ['Aldeamo not_sent connection_refused', 'Twilio accepted'],
      'sent',
      'Twilio',
    ],
    [
      'that Aldeamo may have taken',
      [lost, accepted('SM1')],
      ['Aldeamo unknown deadline_passed', 'Twilio accepted'],
      'sent',
      'Twilio',
    ],
    [
      'that Aldeamo declined',
      [tooLong, accepted('SM1')],
      ['Aldeamo not_sent too_long', 'Twilio accepted'],
      'sent',
      'Twilio',
    ],
    [
      'that Twilio rejected after Aldeamo failed',
      [refused, optedOut],
      ['Aldeamo not_sent connection_refused', 'Twilio rejected opted_out'],
      'failed',
      null,
    ],
    [
      'that neither could be given',
      [lost, refused],
      ['Aldeamo unknown deadline_passed', 'Twilio not_sent connection_refused'],
      'pending',
      null,
    ],
    [
      'that both declined',
      [tooLong, tooLong],
      ['Aldeamo not_sent too_long', 'Twilio not_sent too_long'],
      'pending',
      null,
    ],
  ])('%s', async (_what, [aldeamo, twilio], attempts, status, by) => {
    const { pay, calls } = setUp({ Aldeamo: aldeamo, Twilio: twilio });
    const payment = await pay();
    expect(attemptsOf(payment)).toEqual(attempts);
    expect(payment).toMatchObject({ notification_status: status, notification_service: by });
    expect(calls.map(({ provider }) => provider)).toEqual(attempts.map((attempt) => attempt.split(' ')[0]));
  });

  test('asks for its own message, and each attempt has its own key', async () => {
    const { notifier, calls, save } = setUp({ Aldeamo: refused });
    const phone = '+573001234567';
    const payment = newPayment(
      { amount_minor: 1, currency: 'COP', customer_id: 'c', phone, message: 'Hola' },
      day,
      noIds,
    );
    await notifier.notify(notifier.begin(payment), save);
    const request = { customer_id: 'c', message: 'Hola', phone };
    expect(calls).toEqual([
      { provider: 'Aldeamo', request, key: `${payment.payment_id}-1` },
      { provider: 'Twilio', request, key: `${payment.payment_id}-2` },
    ]);
  });

  test('asks for no phone where none is known, and keeps the id of the SMS and the time that it took', async () => {
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

  test('waits for a hanging Twilio only until the deadline of its call', async () => {
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
    ['unknown, then accepted by Twilio: it may come twice', [lost, accepted('SM1')], true],
    ['not sent, then accepted by Twilio: it comes once', [refused, accepted('SM1')], false],
    ['unknown, and then not sent: nobody is known to have taken it', [lost, refused], false],
    ['accepted: it comes once', [accepted('AL1'), refused], false],
  ])('%s', async (_what, [aldeamo, twilio], possible) => {
    const { pay } = setUp({ Aldeamo: aldeamo, Twilio: twilio });
    expect(isPossibleDuplicate((await pay()).attempts)).toBe(possible);
  });

  test('names its own provider and its own SMS, among others under way that end in another order', async () => {
    const answerOf = (id: string, taken: boolean) => async (request: NotifyRequest) => {
      const number = Number(request.customer_id);
      await new Promise((resolve) => setTimeout(resolve, (number * 37) % 101));
      return taken ? accepted(`${id}${number}`) : tooLong;
    };
    const { pay } = setUp({
      Aldeamo: (request) => answerOf('AL', Number(request.customer_id) % 3 !== 0)(request),
      Twilio: answerOf('SM', true),
    });
    const paid = Array.from({ length: 60 }, (_, i) => pay(String(i)));
    await pass(1000);
    const taken = (await Promise.all(paid)).map(({ customer_id, notification_service, attempts }) => [
      customer_id,
      notification_service,
      attempts.at(-1)?.message_id,
    ]);
    expect(taken).toEqual(
      Array.from({ length: 60 }, (_, i) =>
        i % 3 === 0 ? [`${i}`, 'Twilio', `SM${i}`] : [`${i}`, 'Aldeamo', `AL${i}`],
      ),
    );
  });
});

describe("Aldeamo's circuit", () => {
  test.each<[what: string, answer: Outcome, failures: number]>([
    ['accepted', accepted('AL1'), 0],
    ['rejected', optedOut, 0],
    ['not sent', refused, 1],
    ['unknown', lost, 1],
    ['declined, which is no outage', tooLong, 0],
    ['not called, for want of room', overloaded, 0],
  ])('%s', async (_what, answer, failures) => {
    const { notifier, pay } = setUp({ Aldeamo: answer });
    await pay();
    expect(notifier.report().Aldeamo).toMatchObject({ failures, consecutive_failures: failures });
    expect(notifier.report().Twilio).toMatchObject({ state: 'closed', failures: 0 });
  });

  test('never opens for want of room of our own, and Twilio sends what finds none', async () => {
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

  test('when open, begins with Twilio, and says why; Aldeamo is not called', async () => {
    const { notifier, open, save, events } = setUp();
    await open('Aldeamo');
    const begun = notifier.begin(paymentOf('123'));
    expect(attemptsOf(begun)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio null']);
    expect(notifier.current()).toBe('Twilio');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio accepted']);
    expect(payment).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });
    expect(isPossibleDuplicate(payment.attempts)).toBe(false);
    expect(events).toEqual(['Twilio is called']); // what was begun is saved by the caller
  });

  test("and Twilio's, both open: nobody is called, and the payment is pending", async () => {
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

  test('that opens between the beginning and the call: Twilio sends', async () => {
    const { notifier, open, save, events } = setUp();
    const begun = notifier.begin(paymentOf('123'));
    expect(attemptsOf(begun)).toEqual(['Aldeamo null']);
    await open('Aldeamo');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio accepted']);
    expect(events).toEqual(['saved: Aldeamo not_sent circuit_open, Twilio null', 'Twilio is called']);
  });

  test("and Twilio's, both opening between the beginning and the call: nobody is called", async () => {
    const { notifier, open, save, events } = setUp();
    const begun = notifier.begin(paymentOf('123'));
    await open('Aldeamo', 'Twilio');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent circuit_open']);
    expect(payment.notification_status).toBe('pending');
    expect(events).toEqual([]); // no call to announce; the end is the caller's to save
  });

  test("Twilio's own, closing while it is saved that it is open: what is on disk as not made is not made", async () => {
    const { notifier, open, callsTo, well } = setUp({ Aldeamo: tooLong });
    await open('Aldeamo', 'Twilio');
    well.Aldeamo = true;
    await notifier.recover();
    well.Twilio = true;
    const notified = notifier.notify(notifier.begin(paymentOf('123')), async () => {
      await new Promise((resolve) => setTimeout(resolve, circuitBreakerDefaults.resetTimeout));
    });
    await pass(circuitBreakerDefaults.resetTimeout);
    expect(attemptsOf(await notified)).toEqual(['Aldeamo not_sent too_long', 'Twilio not_sent circuit_open']);
    expect(notifier.report().Twilio.state).toBe('closed');
    expect(callsTo('Twilio')).toBe(0);
  });

  test("Twilio's own, opening between the beginning and the call: the attempt is put down as not made", async () => {
    const { notifier, open, save, events } = setUp();
    await open('Aldeamo');
    const begun = notifier.begin(paymentOf('123'));
    await open('Twilio');
    const payment = await notifier.notify(begun, save);
    expect(attemptsOf(payment)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent circuit_open']);
    expect(events).toEqual([]);
  });

  test('lets one of many payments through when it is due, and all of them when that one was sent', async () => {
    const { open, pay, callsTo, answers, well } = setUp();
    const services = async (paid: Promise<Payment>[]) =>
      (await Promise.all(paid)).map(({ notification_service }) => notification_service);
    await open('Aldeamo');
    well.Aldeamo = new Promise(() => {}); // the payments are the probe
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

  test('opens for everybody, and closes on recovery', async () => {
    const { notifier, open, pay, well } = setUp();
    await open('Aldeamo');
    await expect(notifier.recover()).resolves.toBe(false);
    expect((await pay()).notification_service).toBe('Twilio');
    well.Aldeamo = true;
    await expect(notifier.recover()).resolves.toBe(true);
    expect(notifier.current()).toBe('Aldeamo');
    expect((await pay()).notification_service).toBe('Aldeamo');
  });
});

describe('an attempt is on disk before its call', () => {
  test.each<[what: string, answer: Outcome, saved: string]>([
    ['failed', refused, 'Aldeamo not_sent connection_refused'],
    ['is unknown', lost, 'Aldeamo unknown deadline_passed'],
    ['was declined', tooLong, 'Aldeamo not_sent too_long'],
  ])('Twilio is called when it is saved that Aldeamo %s', async (_what, answer, saved) => {
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
  ])('where it can not be saved, after Aldeamo %s, nobody else is called', async (_what, answer, failures) => {
    const { notifier, callsTo } = setUp({ Aldeamo: answer });
    const diskFull = new Error('disk full');
    const notified = notifier.notify(notifier.begin(paymentOf('123')), () => Promise.reject(diskFull));
    await expect(notified).rejects.toBe(diskFull);
    expect(callsTo('Twilio')).toBe(0);
    // Aldeamo's own failure, and nothing for the disk's.
    const counted = { state: 'closed', failures, consecutive_failures: failures };
    expect(notifier.report().Aldeamo).toMatchObject(counted);
    expect(notifier.report().Twilio).toMatchObject({ calls: 0, failures: 0 });
  });

  test('where it can not be saved, after the circuit opened, nobody is called', async () => {
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
  test('calls nobody where no attempt was begun, or the last one has ended', async () => {
    const { notifier, pay, save, calls } = setUp();
    const fresh = paymentOf('123');
    expect(await notifier.notify(fresh, save)).toBe(fresh);
    const sent = await pay();
    expect(calls).toHaveLength(1);
    expect(await notifier.notify(sent, save)).toBe(sent);
    expect(calls).toHaveLength(1);
  });

  test('goes on after earlier attempts, under a key that none of them had', async () => {
    const { notifier, save, calls, pay, answers } = setUp({ Aldeamo: lost, Twilio: refused });
    const pending = await pay();
    answers.Aldeamo = accepted('AL9');
    const payment = await notifier.notify(startAttempt(pending, 'Aldeamo'), save);
    expect(calls.map(({ key }) => key)).toEqual([1, 2, 3].map((n) => `${payment.payment_id}-${n}`));
    expect(payment).toMatchObject({ notification_service: 'Aldeamo', notification_status: 'sent' });
    expect(isPossibleDuplicate(payment.attempts)).toBe(true);
  });
});

test('close closes both clients, and leaves no timer', async () => {
  const { notifier, open, closed } = setUp();
  await open('Aldeamo', 'Twilio');
  await notifier.close();
  expect(closed.toSorted()).toEqual(['Aldeamo', 'Twilio']);
  expect(vi.getTimerCount()).toBe(0);
});
