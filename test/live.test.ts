import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { type AldeamoUpstream, aldeamo, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream, type TwilioUpstream, twilio } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { liveSettings, withoutRetries } from './live-settings.ts';
import { linesAbout, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The trio with credentials, against servers that speak the providers' own APIs. */

let aldeamoApi: AldeamoUpstream;
let twilioApi: TwilioUpstream;
let trio: Trio;
let payments: string;

const live = () => ({
  PROVIDER_TIMEOUT_MS: '1500',
  GATEWAY_TIMEOUT_MS: '1000',
  CIRCUIT_RESET_TIMEOUT_MS: '2000',
  ...withoutRetries,
  ...liveSettings(aldeamoApi, twilioApi),
});
/** Keeps the circuits closed, so that no row of a table depends on the rows before it. */
const neverOpen = {
  CIRCUIT_CONSECUTIVE_FAILURES: '1000000',
  CIRCUIT_VOLUME_THRESHOLD: '100000',
  CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '300000000',
  CIRCUIT_RESET_TIMEOUT_MS: '1600', // a refused account opens them all the same
};

async function start(settings: Record<string, string>): Promise<void> {
  aldeamoApi = await startAldeamoUpstream();
  twilioApi = await startTwilioUpstream();
  trio = await startProcesses({ ...live(), ...settings });
  payments = trio.url('payment-service');
  // Twilio's callbacks go straight to the service, because no proxy forwards PUBLIC_URL here.
  twilioApi.callbackOrigin = trio.url('twilio-service');
}

async function stop(): Promise<void> {
  await trio[Symbol.asyncDispose]();
  expect([...aldeamoApi.violations, ...twilioApi.violations]).toEqual([]);
  await aldeamoApi[Symbol.asyncDispose]();
  await twilioApi[Symbol.asyncDispose]();
}

let lastPhone = 3_001_000_000;
const newPhone = () => `+57${++lastPhone}`;
const payTo = async (phone: string) => (await pay(payments, { customer_id: 'live', phone })).body;
const find = async ({ payment_id }: PaymentView) =>
  (await call<PaymentView>('GET', `${payments}/payments/${payment_id}`)).body;
const attemptsOf = ({ notification }: PaymentView) =>
  notification.attempts.map(({ provider, outcome, reason }) => [provider, outcome, reason]);
const timesSentTo = (phone: string) =>
  [...aldeamoApi.ledger, ...twilioApi.ledger].filter(({ to }) => to === phone).length;
const isThrottled = async () => {
  const { body } = await call<{ circuits: Record<'Aldeamo' | 'Twilio', { throttled_until: string | null }> }>(
    'GET',
    `${payments}/health`,
  );
  return Boolean(body.circuits.Aldeamo.throttled_until ?? body.circuits.Twilio.throttled_until);
};

describe('the live trio', () => {
  beforeAll(() => start(neverOpen));
  afterAll(stop);
  afterEach(() => eventually(isThrottled, (throttled) => !throttled, 10_000));

  const byTwilio = ['Twilio', 'accepted', null];
  test.each([
    ['received', aldeamo.accepted, [['Aldeamo', 'accepted', null]], 'sent', 1],
    ['"1"', aldeamo.refusedAmongReceived('1', ''), [['Aldeamo', 'accepted', null]], 'sent', 0],
    ...(
      [
        ['number invalid', 'Número inválido', 'phone_invalid'],
        ['GSM invalid', 'GSM inválido', 'phone_invalid'],
        ['wrong format', 'No cumple con el formato', 'phone_invalid'],
        ['blocked', 'Número bloqueado', 'blocked'],
        ['black list', 'Lista negra', 'blocked'],
        ['exclusion list', 'Lista de exclusiones', 'blocked'],
        ['opted out', 'Opted out', 'opted_out'],
      ] as const
    ).flatMap(([name, text, reason]) => [
      [name, aldeamo.refused(text), [['Aldeamo', 'rejected', reason]], 'failed', 0] as const,
      [
        `${name}, among those received`,
        aldeamo.refusedAmongReceived(-6, text),
        [['Aldeamo', 'rejected', reason]],
        'failed',
        0,
      ] as const,
    ]),
    ['no route', aldeamo.refused('Sin ruta'), [['Aldeamo', 'not_sent', 'aldeamo_-6'], byTwilio], 'sent', 1],
    [
      '-6 among those received',
      aldeamo.refusedAmongReceived(-6, 'Sin ruta'),
      [['Aldeamo', 'not_sent', 'aldeamo_-6'], byTwilio],
      'sent',
      1,
    ],
    [
      'a refusal without a number',
      aldeamo.http(200, { result: { failedRequests: [{ reason: 'Sin ruta' }] } }),
      [['Aldeamo', 'not_sent', 'refused'], byTwilio],
      'sent',
      1,
    ],
    ['an error', aldeamo.error(-3, 'Error'), [['Aldeamo', 'not_sent', 'aldeamo_-3'], byTwilio], 'sent', 1],
    ['429', aldeamo.throttled('1'), [['Aldeamo', 'not_sent', 'throttled'], byTwilio], 'sent', 1],
    ['400', aldeamo.http(400), [['Aldeamo', 'not_sent', 'http_400'], byTwilio], 'sent', 1],
    ['404', aldeamo.http(404), [['Aldeamo', 'not_sent', 'http_404'], byTwilio], 'sent', 1],
    ['500', aldeamo.http(500), [['Aldeamo', 'unknown', 'http_500'], byTwilio], 'sent', 1],
    ['503', aldeamo.http(503), [['Aldeamo', 'unknown', 'http_503'], byTwilio], 'sent', 1],
    ['garbage', aldeamo.garbage, [['Aldeamo', 'unknown', 'unreadable_answer'], byTwilio], 'sent', 2],
    ['nothing', aldeamo.empty, [['Aldeamo', 'unknown', 'unreadable_answer'], byTwilio], 'sent', 2],
    ['silence', aldeamo.silence, [['Aldeamo', 'unknown', 'deadline_passed'], byTwilio], 'sent', 1],
    ['late', aldeamo.silenceAfter, [['Aldeamo', 'unknown', 'deadline_passed'], byTwilio], 'sent', 2],
    ['cut', aldeamo.cutBefore, [['Aldeamo', 'unknown', 'connection_lost'], byTwilio], 'sent', 1],
    ['cut after', aldeamo.cutAfter, [['Aldeamo', 'unknown', 'connection_lost'], byTwilio], 'sent', 2],
  ] as const)('given "%s" from Aldeamo, records the outcome and the status', async (_name, answer, attempts, status, times) => {
    const phone = newPhone();
    aldeamoApi.answers.set(phone, answer);
    const payment = await payTo(phone);
    expect(attemptsOf(payment)).toEqual(attempts);
    expect(payment.notification_status).toBe(status);
    expect(payment.possible_duplicate).toBe(attempts[0][1] === 'unknown');
    expect(timesSentTo(phone)).toBe(times);
    expect(await find(payment)).toEqual(payment);
  });

  const rejected = [21211, 21266, 21610, 21614, 21635, 30005, 30006];
  /** This destination or text, permission, sender and callback URL, temporary, throttled. */
  const notSent = [
    ...[21612, 21617, 21408, 21608, 21606, 21703, 14108, 21609, 21730, 20504],
    ...[20429, 21611, 30001],
  ];
  const aSecond = { 'retry-after': '1' };
  test.each([
    ...rejected.map((code) => [code, twilio.error(code), 'rejected', `twilio_${code}`, 'failed'] as const),
    ...notSent.map((code) => [code, twilio.error(code), 'not_sent', `twilio_${code}`, 'pending'] as const),
    ['a cap', twilio.error(63038, 429, aSecond), 'not_sent', 'twilio_63038', 'pending'],
    ['a cap of a trial', twilio.error(30454, 400, aSecond), 'not_sent', 'twilio_30454', 'pending'],
    ['a sender at once', twilio.failedAtOnce(30034), 'not_sent', 'twilio_30034', 'pending'],
    ['temporary at once', twilio.failedAtOnce(30500), 'not_sent', 'twilio_30500', 'pending'],
    ['a throttle at once', twilio.failedAtOnce(30001), 'not_sent', 'twilio_30001', 'pending'],
    ['canceled at once', twilio.failedAtOnce(null, 'canceled'), 'not_sent', 'twilio_canceled', 'pending'],
    [
      'a code as text at once',
      twilio.http(201, { sid: 'SM1', status: 'failed', error_code: '21610' }),
      'rejected',
      'twilio_21610',
      'failed',
    ],
    [20500, twilio.error(20500), 'unknown', 'twilio_20500', 'pending'],
    ['another 400', twilio.error(29999), 'not_sent', 'twilio_29999', 'pending'],
    ['another 403', twilio.http(403, '<html>'), 'not_sent', 'http_403', 'pending'],
    ['another 404', twilio.http(404), 'not_sent', 'http_404', 'pending'],
    ['429', twilio.http(429, '', { 'retry-after': '1' }), 'not_sent', 'http_429', 'pending'],
    ['503', twilio.http(503), 'unknown', 'http_503', 'pending'],
    ['garbage', twilio.garbage, 'unknown', 'unreadable_answer', 'pending'],
    ['silence', twilio.silence, 'unknown', 'deadline_passed', 'pending'],
    ['cut', twilio.cutAfter, 'unknown', 'connection_lost', 'pending'],
    ['failed at once', twilio.failedAtOnce(30005), 'rejected', 'twilio_30005', 'failed'],
    ['queued', twilio.accepted, 'accepted', null, 'sent'],
  ] as const)('given "%s" from Twilio, records the outcome and the status', async (_name, answer, outcome, reason, status) => {
    const phone = newPhone();
    aldeamoApi.answers.set(phone, aldeamo.refused('Sin ruta'));
    twilioApi.answers.set(phone, answer);
    const before = aldeamoApi.sends;
    const payment = await payTo(phone);
    expect(attemptsOf(payment)).toEqual([
      ['Aldeamo', 'not_sent', 'aldeamo_-6'],
      ['Twilio', outcome, reason],
    ]);
    expect(payment.notification_status).toBe(status);
    expect(payment.notification.next_attempt_at === null).toBe(status !== 'pending');
    expect(aldeamoApi.sends).toBe(before + 1);
    expect(await find(payment)).toEqual(payment);
  });

  describe('given an answer of Twilio that shows that every SMS is refused', () => {
    const circuit = async () =>
      (await call<{ circuits: { Twilio: { state: string; reason: string } } }>('GET', `${payments}/health`))
        .body.circuits.Twilio;
    async function payByTwilio(answer: Parameters<typeof twilioApi.answerNext>[0]) {
      const phone = newPhone();
      aldeamoApi.answers.set(phone, aldeamo.refused('Sin ruta'));
      twilioApi.answers.set(phone, answer);
      return payTo(phone);
    }
    /** The account is refused until an SMS is accepted. */
    afterEach(async () => {
      await eventually(circuit, ({ state }) => state === 'half_open', 10_000);
      expect(await payByTwilio(twilio.accepted)).toMatchObject({ notification_service: 'Twilio' });
      expect(await circuit()).toMatchObject({ state: 'closed' });
    });

    test.each([
      ['20003', twilio.error(20003), 'twilio_20003'],
      ['20404', twilio.error(20404), 'twilio_20404'],
      ['30002 at once', twilio.failedAtOnce(30002), 'twilio_30002'],
      ['another 401', twilio.http(401), 'http_401'],
    ])('such as %s, records it and opens the circuit', async (_name, answer, reason) => {
      const payment = await payByTwilio(answer);
      expect(attemptsOf(payment)[1]).toEqual(['Twilio', 'not_sent', reason]);
      expect(payment.notification_status).toBe('pending');
      expect(await find(payment)).toEqual(payment);
      expect(await circuit()).toMatchObject({ state: 'open', reason: `account_refused: ${reason}` });
    });

    test('such as an unknown code for three customers in a row, records it and opens the circuit', async () => {
      for (const state of ['closed', 'closed', 'open']) {
        const payment = await payByTwilio(twilio.error(29_998));
        expect(attemptsOf(payment)[1]).toEqual(['Twilio', 'not_sent', 'twilio_29998']);
        expect(await circuit()).toMatchObject({ state });
      }
    });
  });

  test('given a customer without a phone, holds the notification, and sends it once the phone is stored', async () => {
    const before = aldeamoApi.sends + twilioApi.sends;
    const { body: held } = await pay(payments, { customer_id: 'unknown' });
    expect(held).toMatchObject({
      notification_status: 'held',
      notification: { reason: 'phone_unknown', attempts: [] },
    });
    expect(aldeamoApi.sends + twilioApi.sends).toBe(before);

    await call('PUT', `${payments}/customers/unknown`, { phone: '300 123 4567' });
    await eventually(
      () => call<PaymentView>('GET', `${payments}/payments/${held.payment_id}`),
      ({ body }) => body.notification_status === 'sent',
      5000,
    );
    expect(aldeamoApi.ledger.at(-1)?.to).toBe('+573001234567');
  });

  describe('given an answer that refuses the account', () => {
    const circuit = async () =>
      (await call<{ circuits: { Aldeamo: { state: string; reason: string } } }>('GET', `${payments}/health`))
        .body.circuits.Aldeamo;
    /** The account is refused until an SMS is accepted. */
    afterEach(async () => {
      await eventually(circuit, ({ state }) => state === 'half_open', 10_000);
      expect((await payTo(newPhone())).notification_service).toBe('Aldeamo');
      expect(await circuit()).toMatchObject({ state: 'closed' });
    });

    test.each([
      ['401', aldeamo.unauthorized, 'credentials'],
      ['403', aldeamo.forbidden, 'credentials'],
      ['-1 for the whole', aldeamo.error(-1, 'Error'), 'credentials'],
      ['"-1" for the whole', aldeamo.http(200, { status: '-1', result: null }), 'credentials'],
      ['-2 for the entry', aldeamo.refusedAmongReceived(-2, 'Sin ruta'), 'route_not_configured'],
      ['Ruta no configurada', aldeamo.refused('Ruta no configurada'), 'route_not_configured'],
      ['Paquete sin saldo', aldeamo.refused('Paquete sin saldo'), 'balance'],
      ['No available package', aldeamo.error(-3, 'No available package'), 'balance'],
    ])('such as %s, sends by Twilio, and opens the circuit for that reason', async (_name, answer, reason) => {
      const phone = newPhone();
      aldeamoApi.answers.set(phone, answer);
      const payment = await payTo(phone);
      expect(attemptsOf(payment)).toEqual([['Aldeamo', 'not_sent', reason], byTwilio]);
      expect(payment).toMatchObject({ notification_status: 'sent', possible_duplicate: false });
      expect(timesSentTo(phone)).toBe(1);
      expect(await find(payment)).toEqual(payment);
      expect(await circuit()).toMatchObject({ state: 'open', reason: `account_refused: ${reason}` });
    });
  });

  describe('receipts', () => {
    async function sentByTwilio() {
      const phone = newPhone();
      aldeamoApi.answers.set(phone, aldeamo.refused('Sin ruta'));
      const payment = await payTo(phone);
      return { payment, phone, sid: payment.notification.attempts[1]?.message_id as string };
    }

    test('given a repeated and an older status after delivered, leaves it delivered', async () => {
      const { payment, sid } = await sentByTwilio();
      expect(await twilioApi.sendStatus(sid, 'sent')).toBe(204);
      expect((await find(payment)).notification_status).toBe('sent');
      for (const status of ['delivered', 'delivered', 'sent', 'undelivered'])
        expect(await twilioApi.sendStatus(sid, status, status === 'undelivered' ? 30003 : undefined)).toBe(
          204,
        );
      expect((await find(payment)).notification_status).toBe('delivered');
    });

    test.each([
      ['undelivered', 30003, 'undelivered', 'twilio_30003', true],
      ['undelivered', 29998, 'undelivered', 'twilio_29998', true],
      ['canceled', undefined, 'not_sent', 'twilio_canceled', false],
      ['failed', 30036, 'not_sent', 'twilio_30036', false],
    ])('given %s %s, keeps the outcome, records %s, and sends by Aldeamo', async (status, code, delivery, reason, possible_duplicate) => {
      const { payment, sid, phone } = await sentByTwilio();
      aldeamoApi.answers.set(phone, aldeamo.accepted);
      expect(await twilioApi.sendStatus(sid, status, code)).toBe(204);
      const resent = await eventually(
        () => find(payment),
        ({ notification_service }) => notification_service === 'Aldeamo',
        5000,
      );
      expect(resent).toMatchObject({ notification_status: 'sent', possible_duplicate });
      expect(attemptsOf(resent).slice(1)).toEqual([byTwilio, ['Aldeamo', 'accepted', null]]);
      expect(resent.notification.attempts[1]?.delivery).toMatchObject({ status: delivery, reason });
      expect(timesSentTo(phone)).toBe(2);
    });

    test.each([
      ['read', undefined, 'delivered', null],
      ['undelivered', 30006, 'failed', 'twilio_30006'],
      ['failed', 21610, 'failed', 'twilio_21610'],
      ['undelivered', 30007, 'failed', 'twilio_30007'],
    ])('given %s %s, records %s, and sends nothing', async (status, code, recorded, reason) => {
      const { payment, sid, phone } = await sentByTwilio();
      aldeamoApi.answers.set(phone, aldeamo.accepted);
      expect(await twilioApi.sendStatus(sid, status, code)).toBe(204);
      const ended = await find(payment);
      expect(ended).toMatchObject({
        notification_service: 'Twilio',
        notification_status: recorded,
        notification: { reason, next_attempt_at: null },
      });
      expect(attemptsOf(ended)).toEqual(attemptsOf(payment));
    });

    test('given a code of the account, reports the fault', async () => {
      const { payment, sid } = await sentByTwilio();
      expect(await twilioApi.sendStatus(sid, 'failed', 30_037)).toBe(204);
      expect((await find(payment)).notification.attempts[1]?.delivery).toMatchObject({
        status: 'not_sent',
        reason: 'twilio_30037',
      });
      const faults = async () =>
        (await trio.logs('twilio-service')).filter(({ reason }) => reason === 'twilio_30037');
      await eventually(
        faults,
        (lines) => lines.some(({ fault, level }) => fault === 'account' && level === 50),
        5000,
      );
    });

    test('are asked for with an SMS that Twilio does not keep for longer than its 10 hours', async () => {
      await sentByTwilio();
      expect(twilioApi.ledger.at(-1)).toMatchObject({
        validityPeriod: 36_000,
        statusCallback: expect.stringMatching(/#rc=5&rp=all$/),
      });
    });

    test.each([
      ['forged', { signature: 'c2lnbmF0dXJl' }],
      ['unsigned', { signature: null }],
      ['altered', { altered: { MessageStatus: 'delivered' } }],
    ])('given a receipt that is %s, returns 403 and changes nothing', async (_name, options) => {
      const { payment, sid } = await sentByTwilio();
      expect(await twilioApi.sendStatus(sid, 'failed', 30003, options)).toBe(403);
      expect(await find(payment)).toEqual(payment);
    });

    test('given a receipt for an unknown attempt, records it as accepted and delivered', async () => {
      const phone = newPhone();
      aldeamoApi.answers.set(phone, aldeamo.refused('Sin ruta'));
      twilioApi.answers.set(phone, twilio.cutAfter);
      const payment = await payTo(phone);
      expect(attemptsOf(payment)[1]).toEqual(['Twilio', 'unknown', 'connection_lost']);
      expect(await twilioApi.sendStatus(twilioApi.ledger.at(-1)?.sid as string, 'delivered')).toBe(204);
      const delivered = await find(payment);
      expect(attemptsOf(delivered)[1]).toEqual(['Twilio', 'accepted', null]);
      expect(delivered).toMatchObject({ notification_status: 'delivered', possible_duplicate: false });
    });
  });

  test('logs no phone and no text', async () => {
    const secrets = { phone: '+573157654321', message: 'un texto muy privado' };
    const { body } = await pay(payments, { customer_id: 'secret', ...secrets });
    await linesAbout(trio, body.payment_id, 2);
    for (const service of ['payment-service', 'aldeamo-service', 'twilio-service'] as const) {
      const log = JSON.stringify(await trio.logs(service));
      expect(log).not.toMatch(/3157654321|muy privado|Se ha procesado/);
      expect(log).not.toContain('300100'); // the start of all phones above
    }
  });
});

describe('the live trio with a wrong password', () => {
  beforeEach(() => start({ ALDEAMO_PASSWORD: 'wrong' }));
  afterEach(stop);

  test('for Aldeamo, sends by Twilio, alerts once and never closes the circuit', async () => {
    const made = [];
    for (let n = 0; n < 10; n += 1) made.push(await payTo(newPhone()));
    expect(made.map(({ notification_service }) => notification_service)).toEqual(Array(10).fill('Twilio'));
    expect(aldeamoApi.sends).toBeLessThanOrEqual(1); // none if the check at the start was seen before

    const reason = 'account_refused: credentials';
    const reopened = async () =>
      (await trio.logs('payment-service')).filter((line) => line.circuit === 'open' && line.reason === reason)
        .length;
    await eventually(reopened, (times) => times === 3, 10_000);
    const states = (await trio.logs('payment-service')).flatMap(({ circuit }) => circuit ?? []);
    expect(states).not.toContain('closed');
    const alerts = (await trio.logs('aldeamo-service')).filter(({ account }) => account !== undefined);
    expect(alerts).toHaveLength(1);
    expect(alerts[0]).toMatchObject({
      level: 50,
      provider: 'Aldeamo',
      account: 'refused',
      reason: 'credentials',
    });
  });
});
