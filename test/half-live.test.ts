import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { type AldeamoUpstream, aldeamo, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream, type TwilioUpstream } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { liveSettings } from './live-settings.ts';
import type { Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** One provider live against a double, the other a sandbox. */

type Live = 'Aldeamo' | 'Twilio';
const services = { Aldeamo: 'aldeamo-service', Twilio: 'twilio-service' } as const;

let aldeamoApi: AldeamoUpstream;
let twilioApi: TwilioUpstream;
let trio: Trio;
let payments: string;

beforeEach(async () => {
  aldeamoApi = await startAldeamoUpstream();
  twilioApi = await startTwilioUpstream();
});
afterEach(async () => {
  await trio[Symbol.asyncDispose]();
  await aldeamoApi[Symbol.asyncDispose]();
  await twilioApi[Symbol.asyncDispose]();
});

/** Starts the trio, and waits until payment-service knows both modes. */
async function start(live: Live, settings: Record<string, string> = {}) {
  const all = liveSettings(aldeamoApi, twilioApi);
  const credentials = Object.entries(all).filter(([name]) => name.startsWith(live.toUpperCase()));
  trio = await startProcesses({
    ...Object.fromEntries(credentials),
    NOTIFICATION_RETRY_BASE_MS: '1000',
    NOTIFICATION_RETRY_MAX_MS: '1000',
    ...settings,
  });
  payments = trio.url('payment-service');
  await eventually(modes, (known) => !Object.values(known).includes(null), 5000);
}

interface Health {
  circuits: Record<'Aldeamo' | 'Twilio', { mode: string | null; failures: number }>;
}
const health = async () => (await call<Health>('GET', `${payments}/health`)).body;
const modes = async () => {
  const { Aldeamo, Twilio } = (await health()).circuits;
  return { Aldeamo: Aldeamo.mode, Twilio: Twilio.mode };
};
const attemptsOf = ({ notification }: PaymentView) =>
  notification.attempts.map(({ provider, outcome, reason, mode }) => [provider, outcome, reason, mode]);
const ledgerOf = async (provider: Live) =>
  (await call<{ data?: unknown[] } | unknown[]>('GET', `${trio.url(services[provider])}/sandbox/messages`))
    .body;
const find = async ({ payment_id }: PaymentView) =>
  (await call<PaymentView>('GET', `${payments}/payments/${payment_id}`)).body;
const metric = async () =>
  (await (await fetch(`${payments}/metrics`)).text()).match(/^paysms_mixed_modes (\d)$/m)?.[1];
const linesOnModes = async () =>
  (await trio.logs('payment-service'))
    .filter(({ modes }) => modes !== undefined)
    .map(({ level, modes }) => [level, modes]);
const pending = { notification_status: 'pending', notification_service: null };
const phone = '+573001234567';

describe('given Aldeamo live and Twilio a sandbox', () => {
  test('what Aldeamo does not send is pending, and goes out through it once it is healthy, not through the sandbox', async () => {
    await start('Aldeamo');
    aldeamoApi.answerAll(aldeamo.throttled('1'));
    const { status, body: payment } = await pay(payments, { customer_id: 'half', phone });
    expect(status).toBe(201);
    expect(payment).toMatchObject(pending);
    expect(attemptsOf(payment)).toEqual([
      ['Aldeamo', 'not_sent', 'throttled', 'live'],
      ['Twilio', 'not_sent', 'sandbox_beside_live', 'sandbox'],
    ]);
    expect(payment.notification.next_attempt_at).not.toBeNull();
    expect(await health()).toMatchObject({ circuits: { Twilio: { state: 'closed', failures: 0 } } });

    aldeamoApi.answerAll(aldeamo.accepted);
    const sent = await eventually(
      () => find(payment),
      ({ notification_status }) => notification_status === 'sent',
      15_000,
    );
    expect(sent.notification_service).toBe('Aldeamo');
    expect(attemptsOf(sent).at(-1)).toEqual(['Aldeamo', 'accepted', null, 'live']);
    expect(aldeamoApi.ledger).toHaveLength(1);
    expect(await ledgerOf('Twilio')).toEqual({ data: [] });
    expect(await metric()).toBe('1');
    expect(await linesOnModes()).toEqual([[50, { Aldeamo: 'live', Twilio: 'sandbox' }]]);
  });

  test('and its service gone, the sandbox still accepts nothing', async () => {
    await start('Aldeamo');
    await trio.kill('aldeamo-service');
    const { body: payment } = await pay(payments, { customer_id: 'half', phone });
    expect(payment).toMatchObject(pending);
    expect(attemptsOf(payment)).toEqual([
      ['Aldeamo', 'not_sent', 'connection_refused', null],
      ['Twilio', 'not_sent', 'sandbox_beside_live', 'sandbox'],
    ]);

    await trio.kill('payment-service');
    await trio.start('payment-service');
    await eventually(modes, ({ Twilio }) => Twilio === 'sandbox', 5000);
    const { body: afterRestart } = await pay(payments, { customer_id: 'half', phone });
    expect(attemptsOf(afterRestart)).toEqual(attemptsOf(payment));
    expect(await ledgerOf('Twilio')).toEqual({ data: [] });
  });

  test('and ALLOW_MIXED_MODES, the sandbox accepts, and the attempt and the log say so', async () => {
    await start('Aldeamo', { ALLOW_MIXED_MODES: 'true' });
    aldeamoApi.answerAll(aldeamo.unauthorized);
    const { body: payment } = await pay(payments, { customer_id: 'half', phone });
    expect(payment).toMatchObject({ notification_status: 'sent', notification_service: 'Twilio' });
    expect(attemptsOf(payment).at(-1)).toEqual(['Twilio', 'accepted', null, 'sandbox']);
    expect(await find(payment)).toEqual(payment);
    expect(await ledgerOf('Twilio')).toMatchObject({ data: [{ customer_id: 'half' }] });
    expect(await metric()).toBe('1');
    expect(await linesOnModes()).toEqual([[40, { Aldeamo: 'live', Twilio: 'sandbox' }]]);
  });
});

test('given Aldeamo a sandbox and Twilio live, every SMS goes out through Twilio', async () => {
  await start('Twilio');
  const { body: payment } = await pay(payments, { customer_id: 'half', phone });
  expect(payment).toMatchObject({ notification_status: 'sent', notification_service: 'Twilio' });
  expect(attemptsOf(payment)).toEqual([
    ['Aldeamo', 'not_sent', 'sandbox_beside_live', 'sandbox'],
    ['Twilio', 'accepted', null, 'live'],
  ]);
  expect(twilioApi.ledger).toHaveLength(1);
  expect(await ledgerOf('Aldeamo')).toEqual({ data: [] });
});
