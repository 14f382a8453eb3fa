import type { FastifyBaseLogger } from 'fastify';
import type { Outcome, Provider } from 'service-kit/contract/notification.ts';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { acceptedNow, watchClock } from '../../src/delivery/clock-watch.ts';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { createProviderHolds } from '../../src/delivery/provider-holds.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import type { ProviderControls, ProviderHold } from '../../src/domain/provider-controls.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { type Call, fakeClient, hold as holdCall, refused } from '../fixture.ts';

const day = 86_400_000;
const log = { info() {}, warn() {} } as unknown as FastifyBaseLogger;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const holdUntil = (until: string | null): ProviderHold => ({
  since: inMs(0),
  until,
  by: 'maria',
  reason: 'they send twice',
});
const controlsOf = (provider: Provider, until: string | null = null): ProviderControls => ({
  provider,
  hold: holdUntil(until),
  recoveries: 0,
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function setUp(...held: ProviderControls[]) {
  const calls: Call[] = [];
  const clients = { Aldeamo: fakeClient('Aldeamo', calls), Twilio: fakeClient('Twilio', calls) };
  const holds = createProviderHolds();
  const put = (...controls: ProviderControls[]) => holds.read({ readControls: async () => controls });
  await put(...held);
  const notifier = createNotifier({
    clients,
    parameters: circuitBreakerDefaults,
    policy: { unknownOutcome: 'resend', receiptTimeoutMs: 600_000 },
    holds,
    log,
  });
  onTestFinished(() => notifier.close());
  const payment = () =>
    newPayment({ amount_minor: 100, currency: 'COP', customer_id: '1', phone: null, message: null }, day, {
      traceparent: null,
      request_id: null,
    });
  const saved: Payment[] = [];
  const notify = (begun: Payment) => notifier.notify(begun, async (next) => void saved.push(next));
  const pay = async () => attemptsOf(await notify(notifier.begin(payment())));
  const calledProviders = () => calls.map(({ provider }) => provider);
  return { notifier, clients, put, payment, notify, pay, saved, calledProviders };
}

const attemptsOf = ({ attempts }: Payment) =>
  attempts.map(({ provider, outcome, reason }) => `${provider} ${outcome} ${reason}`);

const failing = async (): Promise<Outcome> => refused;

describe('the notifier', () => {
  test('given a held Aldeamo, sends through Twilio, and leaves the circuit of Aldeamo as it is', async () => {
    const { notifier, pay, calledProviders } = await setUp(controlsOf('Aldeamo'));
    for (let count = 0; count < 5; count += 1)
      expect(await pay()).toEqual(['Aldeamo not_sent provider_held', 'Twilio accepted null']);
    expect(calledProviders()).toEqual(Array(5).fill('Twilio'));
    expect(notifier.current()).toBe('Twilio');
    expect(notifier.report().Aldeamo).toMatchObject({ state: 'closed', calls: 0, consecutive_failures: 0 });
  });

  test('given a held Twilio, does not fail over to it', async () => {
    const { notifier, clients, pay, saved, calledProviders } = await setUp(controlsOf('Twilio'));
    clients.Aldeamo.answer = failing;
    expect(await pay()).toEqual(['Aldeamo not_sent connection_refused', 'Twilio not_sent provider_held']);
    expect(calledProviders()).toEqual(['Aldeamo']);
    expect(saved).toEqual([]);
    expect(notifier.report().Twilio).toMatchObject({ state: 'closed', calls: 0 });
  });

  test('given a held Twilio and an open circuit of Aldeamo, makes no attempt', async () => {
    const { notifier, clients, pay, payment } = await setUp(controlsOf('Twilio'));
    clients.Aldeamo.answer = failing;
    for (let count = 0; count < circuitBreakerDefaults.consecutiveFailures; count += 1) await pay();
    const begun = notifier.begin(payment());
    expect(attemptsOf(begun)).toEqual(['Aldeamo not_sent circuit_open', 'Twilio not_sent provider_held']);
    expect(begun.notification_status).toBe('pending');
    expect(notifier.current()).toBeNull();
  });

  test('given both held, makes no attempt, and looks again in half a minute at the latest', async () => {
    const { notifier, payment, put, pay, calledProviders } = await setUp(
      controlsOf('Aldeamo'),
      controlsOf('Twilio'),
    );
    const waiting = payment();
    expect(attemptsOf(notifier.begin(waiting))).toEqual([
      'Aldeamo not_sent provider_held',
      'Twilio not_sent provider_held',
    ]);
    expect(notifier.current()).toBeNull();
    expect(notifier.availableInMs(waiting)).toBe(30_000);
    await put(controlsOf('Aldeamo', inMs(3_600_000)), controlsOf('Twilio'));
    expect(notifier.availableInMs(waiting)).toBe(30_000);
    await put(controlsOf('Aldeamo', inMs(10_000)), controlsOf('Twilio'));
    expect(notifier.availableInMs(waiting)).toBe(10_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(notifier.availableInMs(waiting)).toBe(0);
    expect(await pay()).toEqual(['Aldeamo accepted null']);
    expect(calledProviders()).toEqual(['Aldeamo']);
  });

  test('given a chosen provider that is held, offers the notification to no other one', async () => {
    const { notifier, payment } = await setUp(controlsOf('Twilio'));
    const action = {
      at: inMs(0),
      by: null,
      action: 'resend',
      reason: 'a',
      provider: 'Twilio',
      request: null,
    };
    const chosen = { ...payment(), actions: [action] } as Payment;
    expect(attemptsOf(notifier.begin(chosen))).toEqual(['Twilio not_sent provider_held']);
    expect(notifier.availableInMs(chosen)).toBe(30_000);
  });

  test('given a hold that comes while a call is under way, leaves the call alone', async () => {
    const { notifier, clients, put, payment, notify } = await setUp();
    const held = holdCall(clients.Aldeamo);
    const notifying = notify(notifier.begin(payment()));
    await held.called;
    await put(controlsOf('Aldeamo'), controlsOf('Twilio'));
    held.letGo();
    expect(attemptsOf(await notifying)).toEqual(['Aldeamo accepted null']);
  });

  test('given a hold that becomes known while the attempt is recorded, makes no call', async () => {
    const { put, notifier, payment, notify, saved, calledProviders } = await setUp();
    const begun = notifier.begin(payment());
    await put(controlsOf('Aldeamo'));
    const sent = await notify(begun);
    expect(attemptsOf(sent)).toEqual(['Aldeamo not_sent provider_held', 'Twilio accepted null']);
    expect(saved.map(attemptsOf)).toEqual([['Aldeamo not_sent provider_held', 'Twilio null null']]);
    const again = notifier.begin(payment());
    await put(controlsOf('Aldeamo'), controlsOf('Twilio'));
    expect(attemptsOf(await notify(again))).toEqual([
      'Aldeamo not_sent provider_held',
      'Twilio not_sent provider_held',
    ]);
    expect(calledProviders()).toEqual(['Twilio']);
    expect(notifier.report().Aldeamo).toMatchObject({ state: 'closed', calls: 0 });
  });

  test('given a hold of Twilio that becomes known while the failover is recorded, makes no call', async () => {
    const { put, clients, notifier, payment, calledProviders } = await setUp();
    clients.Aldeamo.answer = failing;
    const ended = await notifier.notify(notifier.begin(payment()), async () => {
      await put(controlsOf('Twilio'));
    });
    expect(attemptsOf(ended)).toEqual([
      'Aldeamo not_sent connection_refused',
      'Twilio not_sent provider_held',
    ]);
    expect(calledProviders()).toEqual(['Aldeamo']);
  });

  test('given a hold of Twilio that comes while Aldeamo is called, does not fail over', async () => {
    const { notifier, clients, put, payment, notify, calledProviders } = await setUp();
    const held = holdCall(clients.Aldeamo);
    const notifying = notify(notifier.begin(payment()));
    await held.called;
    await put(controlsOf('Twilio'));
    held.letGo(refused);
    expect(attemptsOf(await notifying)).toEqual([
      'Aldeamo not_sent connection_refused',
      'Twilio not_sent provider_held',
    ]);
    expect(calledProviders()).toEqual(['Aldeamo']);
  });

  test('given a held Aldeamo with an open circuit, goes on with the checks that close it', async () => {
    const { notifier, clients, put, pay } = await setUp();
    clients.Aldeamo.answer = failing;
    for (let count = 0; count < circuitBreakerDefaults.consecutiveFailures; count += 1) await pay();
    await put(controlsOf('Aldeamo'));
    expect(notifier.report().Aldeamo.state).toBe('open');
    await vi.advanceTimersByTimeAsync(circuitBreakerDefaults.resetTimeout + 1000);
    expect(notifier.report().Aldeamo.state).toBe('closed');
    expect(await pay()).toEqual(['Aldeamo not_sent provider_held', 'Twilio accepted null']);
  });

  test('reports since when a provider is held and until when, without who and why', async () => {
    const { since, until } = holdUntil(inMs(1000));
    const { notifier } = await setUp(controlsOf('Aldeamo', until));
    expect(notifier.report()).toMatchObject({ Aldeamo: { held: { since, until } }, Twilio: { held: null } });
    expect(JSON.stringify(notifier.report())).not.toMatch(/maria|they send twice/);
    await vi.advanceTimersByTimeAsync(1000);
    expect(notifier.report().Aldeamo.held).toBeNull();
  });
});

describe('the holds', () => {
  test('given a store that is unavailable, stay as they were', async () => {
    const holds = createProviderHolds();
    await holds.read({ readControls: async () => [controlsOf('Aldeamo')] });
    const failed = holds.read({
      readControls: async () => {
        throw new StoreUnavailable('the store does not answer');
      },
    });
    await expect(failed).rejects.toBeInstanceOf(StoreUnavailable);
    expect(holds.of('Aldeamo')).toMatchObject({ by: 'maria' });
    await holds.read({ readControls: async () => [] });
    expect(holds.of('Aldeamo')).toBeNull();
  });

  test('given a wall clock that was just set ahead, do not end before their time', async () => {
    const clock = watchClock({ log: { info() {}, warn() {}, error() {} } });
    const holds = createProviderHolds(() => acceptedNow(clock));
    holds.put('Aldeamo', holdUntil(inMs(3_600_000)));
    vi.setSystemTime(Date.now() + 2 * 3_600_000);
    expect(holds.of('Aldeamo')).not.toBeNull();
    await vi.advanceTimersByTimeAsync(300_000); // the new time is accepted
    expect(holds.of('Aldeamo')).toBeNull();
  });

  test('given a hold that is recorded during a read, keep it', async () => {
    const holds = createProviderHolds();
    const slow = Promise.withResolvers<ProviderControls[]>();
    const reading = holds.read({ readControls: () => slow.promise });
    holds.put('Aldeamo', holdUntil(null));
    slow.resolve([]);
    expect(await reading).toBeUndefined();
    expect(holds.of('Aldeamo')).toMatchObject({ by: 'maria' });
  });

  test('given reads that overlap, are those of the later one', async () => {
    const holds = createProviderHolds();
    const [slow, quick] = [
      Promise.withResolvers<ProviderControls[]>(),
      Promise.withResolvers<ProviderControls[]>(),
    ];
    const reading = holds.read({ readControls: () => slow.promise });
    const later = holds.read({ readControls: () => quick.promise });
    quick.resolve([controlsOf('Aldeamo')]);
    expect(await later).toHaveLength(1);
    slow.resolve([]);
    expect(await reading).toBeUndefined();
    expect(holds.of('Aldeamo')).not.toBeNull();
  });
});
