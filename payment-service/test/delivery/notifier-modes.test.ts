import type { Mode } from 'service-kit/contract/mode.ts';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { createLogger } from 'service-kit/http/start.ts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { newPayment } from '../../src/domain/payment.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { createProviderModes } from '../../src/providers/provider-modes.ts';
import { type Call, fakeClient } from '../fixture.ts';

/** A live provider beside a sandbox, or two of a kind. */

const beside: Outcome = { outcome: 'not_sent', reason: 'sandbox_beside_live', no_outage: true };
const down: Outcome = { outcome: 'not_sent', reason: 'down' };

/** Its providers answer as services of these modes do; a live one is down or not. Their health is read at once, or not at all. */
function setUp(
  modes: Record<Provider, Mode>,
  { isRead = true, isLiveDown = true, allowMixedModes = false } = {},
) {
  const calls: Call[] = [];
  const clientOf = (provider: Provider) => {
    const mode = modes[provider];
    const client = fakeClient(provider, calls);
    client.state = isRead ? { mode, account: null } : undefined;
    const accepted: Outcome = { outcome: 'accepted', message_id: `${provider}-1` };
    const answer = ({ live_only }: NotifyRequest) =>
      mode === 'live' ? (isLiveDown ? down : accepted) : live_only ? beside : accepted;
    const { notify } = client;
    client.notify = async (request, key) => {
      await notify(request, key);
      return { ...answer(request), mode };
    };
    return client;
  };
  const clients = { Aldeamo: clientOf('Aldeamo'), Twilio: clientOf('Twilio') };
  const log = createLogger({ level: 'silent' });
  const notifier = createNotifier({
    clients,
    parameters: circuitBreakerDefaults,
    policy: { unknownOutcome: 'resend', receiptTimeoutMs: 600_000 },
    modes: createProviderModes({ allowMixed: allowMixedModes, log }),
    log,
  });
  onTestFinished(() => notifier.close());
  const request = { amount_minor: 100, currency: 'COP', customer_id: '1', phone: null, message: null };
  async function pay() {
    const payment = newPayment(request, 1000, { traceparent: null, request_id: null });
    const { notification_status, attempts } = await notifier.notify(notifier.begin(payment), async () => {});
    return {
      notification_status,
      attempts: attempts.map(({ provider, outcome, reason, mode }) => [provider, outcome, reason, mode]),
    };
  }
  const isKnown = () =>
    vi.waitFor(() => expect(Object.values(notifier.report()).map(({ mode }) => mode)).not.toContain(null));
  const liveOnly = () => calls.map(({ request }) => request.live_only);
  return { notifier, clients, pay, isKnown, liveOnly };
}

describe('given a live provider and a sandbox', () => {
  test('what the live one does not send is pending, and the circuit of the sandbox counts no failure', async () => {
    const { notifier, pay, isKnown, liveOnly } = setUp({ Aldeamo: 'live', Twilio: 'sandbox' });
    await isKnown();
    expect(await pay()).toEqual({
      notification_status: 'pending',
      attempts: [
        ['Aldeamo', 'not_sent', 'down', 'live'],
        ['Twilio', 'not_sent', 'sandbox_beside_live', 'sandbox'],
      ],
    });
    expect(liveOnly()).toEqual([true, true]);
    for (let times = 0; times < 10; times += 1) await pay();
    expect(notifier.report()).toMatchObject({
      Aldeamo: { mode: 'live', state: 'open' },
      Twilio: { mode: 'sandbox', state: 'closed', calls: 0, failures: 0 },
    });
    expect((await pay()).attempts).toEqual([
      ['Aldeamo', 'not_sent', 'circuit_open', null],
      ['Twilio', 'not_sent', 'sandbox_beside_live', 'sandbox'],
    ]);
  });

  test('what the sandbox declines goes to the live one', async () => {
    const { pay, isKnown } = setUp({ Aldeamo: 'sandbox', Twilio: 'live' }, { isLiveDown: false });
    await isKnown();
    expect(await pay()).toEqual({
      notification_status: 'sent',
      attempts: [
        ['Aldeamo', 'not_sent', 'sandbox_beside_live', 'sandbox'],
        ['Twilio', 'accepted', null, 'live'],
      ],
    });
  });

  test('whose health could not be read, the answer of the live one keeps its SMS from the sandbox', async () => {
    const { notifier, pay, liveOnly } = setUp({ Aldeamo: 'live', Twilio: 'sandbox' }, { isRead: false });
    expect(notifier.report()).toMatchObject({ Aldeamo: { mode: null }, Twilio: { mode: null } });
    expect((await pay()).notification_status).toBe('pending');
    expect(liveOnly()).toEqual([undefined, true]);
    expect(notifier.report()).toMatchObject({ Aldeamo: { mode: 'live' }, Twilio: { mode: 'sandbox' } });
  });

  test('and ALLOW_MIXED_MODES, the sandbox accepts', async () => {
    const { pay, isKnown, liveOnly } = setUp(
      { Aldeamo: 'live', Twilio: 'sandbox' },
      { allowMixedModes: true },
    );
    await isKnown();
    expect(await pay()).toEqual({
      notification_status: 'sent',
      attempts: [
        ['Aldeamo', 'not_sent', 'down', 'live'],
        ['Twilio', 'accepted', null, 'sandbox'],
      ],
    });
    expect(liveOnly()).toEqual([undefined, undefined]);
  });
});

test('given services that start after payment-service, their modes are known a second later, and read again only after ten', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { notifier, clients } = setUp({ Aldeamo: 'live', Twilio: 'sandbox' }, { isRead: false });
  const reads = vi.spyOn(clients.Aldeamo, 'readState');
  await vi.advanceTimersByTimeAsync(999);
  expect(notifier.report().Aldeamo.mode).toBeNull();
  clients.Aldeamo.state = { mode: 'live', account: null };
  await vi.advanceTimersByTimeAsync(1);
  expect(notifier.report()).toMatchObject({ Aldeamo: { mode: 'live' }, Twilio: { mode: null } });
  await vi.advanceTimersByTimeAsync(8999);
  expect(reads).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(reads).toHaveBeenCalledTimes(2);
});

test('given two sandboxes, no request has live_only', async () => {
  const { pay, isKnown, liveOnly } = setUp({ Aldeamo: 'sandbox', Twilio: 'sandbox' });
  await isKnown();
  expect(await pay()).toEqual({
    notification_status: 'sent',
    attempts: [['Aldeamo', 'accepted', null, 'sandbox']],
  });
  expect(liveOnly()).toEqual([undefined]);
});
