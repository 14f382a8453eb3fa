import { expect, onTestFinished, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { aldeamoPackage, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { liveSettings, withoutRetries } from './live-settings.ts';
import { startProcesses } from './trio-of-processes.ts';

const resetTimeoutMs = 2000;

/** The live trio, whose Aldeamo has a package of so many SMS. */
async function startTrio(available: number) {
  const [aldeamoApi, twilioApi] = [await startAldeamoUpstream(), await startTwilioUpstream()];
  aldeamoApi.packages = [aldeamoPackage(available)];
  const trio = await startProcesses({
    PROVIDER_TIMEOUT_MS: '1500',
    GATEWAY_TIMEOUT_MS: '1000',
    CIRCUIT_RESET_TIMEOUT_MS: String(resetTimeoutMs),
    ...withoutRetries,
    ...liveSettings(aldeamoApi, twilioApi),
  });
  onTestFinished(async () => {
    for (const each of [trio, aldeamoApi, twilioApi]) await each[Symbol.asyncDispose]();
    expect([...aldeamoApi.violations, ...twilioApi.violations]).toEqual([]);
  });
  const payments = trio.url('payment-service');
  const aldeamo = trio.url('aldeamo-service');
  let phone = 3_002_000_000;
  return {
    aldeamoApi,
    twilioApi,
    payOne: async () =>
      (await pay(payments, { customer_id: 'any', phone: `+57${++phone}` })).body as PaymentView,
    circuit: async () =>
      (await call<{ circuits: { Aldeamo: { state: string; reason: string } } }>('GET', `${payments}/health`))
        .body.circuits.Aldeamo,
    account: async () =>
      (
        await call<{ account: { state: string; reason: string | null; balance: number | null } }>(
          'GET',
          `${aldeamo}/health`,
        )
      ).body.account,
    errors: async () => (await trio.logs('aldeamo-service')).filter(({ level }) => level === 50),
    metrics: async () => (await fetch(`${aldeamo}/metrics`)).text(),
  };
}

test('given a package that is used up, alerts once, sends by Twilio, and by Aldeamo again after a top-up', async () => {
  const { aldeamoApi, twilioApi, payOne, circuit, account, errors, metrics } = await startTrio(2);
  await eventually(account, ({ state, balance }) => state === 'ok' && balance === 2, 5000);

  const made: PaymentView[] = [];
  for (let n = 0; n < 8; n += 1) made.push(await payOne());
  expect(made.map(({ notification_service }) => notification_service)).toEqual([
    ...Array(2).fill('Aldeamo'),
    ...Array(6).fill('Twilio'),
  ]);
  expect(made[2]?.notification.attempts).toMatchObject([
    { provider: 'Aldeamo', outcome: 'not_sent', reason: 'balance' },
    { provider: 'Twilio', outcome: 'accepted' },
  ]);
  expect(aldeamoApi.sends).toBe(3); // the third was refused, and opened the circuit
  expect(await circuit()).toMatchObject({ reason: 'account_refused: balance' });
  expect(await account()).toMatchObject({ state: 'refused', reason: 'balance' });

  // The check finds Aldeamo healthy, and leaves the circuit half-open: only a payment shows that the package is filled.
  await eventually(circuit, ({ state }) => state === 'half_open', 10 * resetTimeoutMs);
  await eventually(account, ({ balance }) => balance === 0, 5000);
  expect(await metrics()).toMatch(/^paysms_account_balance\{provider="Aldeamo"\} 0$/m);
  expect((await payOne()).notification_service).toBe('Twilio');
  expect(aldeamoApi.sends).toBe(4);
  expect(await circuit()).toMatchObject({ state: 'open', reason: 'account_refused: balance' });
  expect(await errors()).toMatchObject([
    { account: 'refused', reason: 'balance' },
    { balance: 0 }, // of the check, which is the same word in advance where no payment comes
  ]);

  aldeamoApi.packages.push(aldeamoPackage(1000));
  await eventually(circuit, ({ state }) => state === 'half_open', 10 * resetTimeoutMs);
  expect((await payOne()).notification_service).toBe('Aldeamo');
  expect(await circuit()).toMatchObject({ state: 'closed' });
  expect(await account()).toMatchObject({ state: 'ok', reason: null });
  expect((await payOne()).notification_service).toBe('Aldeamo');
  expect(aldeamoApi.ledger).toHaveLength(4);
  expect(twilioApi.ledger).toHaveLength(7);
  expect(await errors()).toHaveLength(2);
});
