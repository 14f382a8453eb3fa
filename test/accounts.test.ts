import { expect, onTestFinished, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { type AldeamoUpstream, aldeamo, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream, type TwilioUpstream, twilio } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { liveSettings, withoutRetries } from './live-settings.ts';
import type { serviceNames, Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** What the live trio does when a provider refuses the account. */

const resetTimeoutMs = 1600;

async function start(
  settings: Record<string, string>,
  prepare: (twilioApi: TwilioUpstream) => void = () => {},
) {
  const aldeamoApi: AldeamoUpstream = await startAldeamoUpstream();
  const twilioApi: TwilioUpstream = await startTwilioUpstream();
  prepare(twilioApi); // before the check at the start
  const trio: Trio = await startProcesses({
    ...liveSettings(aldeamoApi, twilioApi),
    ...withoutRetries,
    PROVIDER_TIMEOUT_MS: '1500',
    GATEWAY_TIMEOUT_MS: '1000',
    CIRCUIT_RESET_TIMEOUT_MS: String(resetTimeoutMs),
    ...settings,
  });
  onTestFinished(async () => {
    for (const each of [trio, aldeamoApi, twilioApi]) await each[Symbol.asyncDispose]();
  });
  const payments = trio.url('payment-service');
  let lastPhone = 3_001_000_000;
  const payOnce = async () => (await pay(payments, { customer_id: 'live', phone: `+57${++lastPhone}` })).body;
  const health = async () => {
    const { body } = await call<{ circuits: Record<'Aldeamo' | 'Twilio', Circuit> }>(
      'GET',
      `${payments}/health`,
    );
    return body.circuits;
  };
  /** The states that Aldeamo's circuit has entered. */
  const entered = async () => (await trio.logs('payment-service')).flatMap(({ circuit }) => circuit ?? []);
  const errors = async (service: (typeof serviceNames)[number]) =>
    (await trio.logs(service)).filter(({ level }) => Number(level) >= 50);
  return { aldeamoApi, twilioApi, trio, payOnce, health, entered, errors };
}

interface Circuit {
  state: string;
  reason: string;
  mode: string;
  account: { state: string; reason: string | null } | null;
}

const providersOf = (payments: PaymentView[]) => payments.map((payment) => payment.notification_service);

test('given a wrong token of the fallback, reports it within a minute of the start, without a payment', async () => {
  const { trio, health, errors, aldeamoApi, twilioApi } = await start({
    TWILIO_AUTH_TOKEN: '0123456789abcdef'.repeat(2),
  });
  const { Twilio } = await eventually(health, ({ Twilio: { state } }) => state === 'open', 30_000);
  expect(Twilio).toMatchObject({
    reason: 'account_refused: credentials',
    mode: 'live',
    account: { state: 'refused', reason: 'credentials' },
  });
  expect(await errors('twilio-service')).toMatchObject([
    { provider: 'Twilio', account: 'refused', reason: 'credentials' },
  ]);
  const scraped = await (await fetch(`${trio.url('twilio-service')}/metrics`)).text();
  expect(scraped).toContain('paysms_account_state{provider="Twilio",state="refused"} 1');
  expect([aldeamoApi.sends, twilioApi.sends]).toEqual([0, 0]);
});

test('given a wrong password of the primary, sends by Twilio, reports it once and closes the circuit once it is right', async () => {
  const { aldeamoApi, payOnce, health, entered, errors } = await start({});
  aldeamoApi.password = 'changed';
  const made = [];
  for (let n = 0; n < 10; n += 1) made.push(await payOnce());
  expect(providersOf(made)).toEqual(Array(10).fill('Twilio'));
  expect(aldeamoApi.sends).toBe(1);
  await eventually(entered, (states) => states.filter((state) => state === 'half_open').length >= 3, 10_000);
  expect(await entered()).not.toContain('closed');
  expect((await health()).Aldeamo.reason).toBe('account_refused: credentials');
  expect(await errors('aldeamo-service')).toHaveLength(1);

  aldeamoApi.password = 's3creta';
  await eventually(health, ({ Aldeamo }) => Aldeamo.state === 'closed', 10_000);
  expect(providersOf([await payOnce()])).toEqual(['Aldeamo']);
});

test('given a fault of the sender that the check does not see, tries one payment every resetTimeout and does not flap', async () => {
  const { twilioApi, aldeamoApi, payOnce, health, entered, errors } = await start({});
  aldeamoApi.answerAll(aldeamo.refused('Sin ruta'));
  twilioApi.answerAll(twilio.error(21606));
  const until = performance.now() + 5.5 * resetTimeoutMs;
  let made = 0;
  while (performance.now() < until) {
    expect(providersOf([await payOnce()])).toEqual([null]);
    made += 1;
  }
  expect((await entered()).filter((state) => state === 'closed')).toEqual([]);
  expect((await health()).Twilio.reason).toBe('account_refused: twilio_21606');
  expect(twilioApi.sends).toBeGreaterThanOrEqual(3 + 3);
  expect(twilioApi.sends).toBeLessThanOrEqual(3 + 5);
  expect(made).toBeGreaterThan(twilioApi.sends);
  expect(await errors('twilio-service')).toMatchObject([{ fault: 'sender' }, { account: 'refused' }]);

  twilioApi.answerAll(twilio.accepted);
  await eventually(payOnce, ({ notification_service }) => notification_service === 'Twilio', 10_000);
  expect((await health()).Twilio).toMatchObject({ state: 'closed' });
});

test('given a key of Twilio that may only create messages, opens the circuit when it fails and closes it again', async () => {
  const key = { TWILIO_API_KEY_SID: `SK${'0123456789abcdef'.repeat(2)}`, TWILIO_API_KEY_SECRET: 'secret' };
  const { twilioApi, aldeamoApi, trio, payOnce, health } = await start(key, ({ apiKeys, restrictedKeys }) => {
    apiKeys.set(key.TWILIO_API_KEY_SID, key.TWILIO_API_KEY_SECRET);
    restrictedKeys.add(key.TWILIO_API_KEY_SID);
  });
  aldeamoApi.answerAll(aldeamo.refused('Sin ruta'));
  twilioApi.answerAll(twilio.http(503));
  await eventually(
    payOnce,
    ({ notification }) => notification.attempts[1]?.reason === 'circuit_open',
    10_000,
  );
  const { Twilio } = await eventually(health, ({ Twilio: { account } }) => account !== null, 15_000);
  expect(Twilio.account).toMatchObject({ state: 'unknown' });
  const upstream = await eventually(
    async () => await call('GET', `${trio.url('twilio-service')}/health/upstream`),
    ({ status }) => status === 200,
    10_000,
  );
  expect(upstream.body).toEqual({ status: 'unknown', reason: 'check_forbidden' });

  twilioApi.answerAll(twilio.accepted);
  await eventually(payOnce, ({ notification_service }) => notification_service === 'Twilio', 10_000);
  expect((await health()).Twilio).toMatchObject({ state: 'closed' });
});
