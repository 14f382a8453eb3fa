import type { AccountReport } from 'service-kit/contract/account.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ProviderState } from '../../src/providers/provider-client.ts';
import { watchProviders } from '../../src/providers/provider-states.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const account = (state: AccountReport['state'], since = '2026-01-01T00:00:00.000Z'): AccountReport => ({
  state,
  reason: state === 'refused' ? 'credentials' : null,
  since,
  balance: null,
});

function setUp(twilio: ProviderState | undefined) {
  const clients = {
    Aldeamo: { readState: vi.fn(async (): Promise<ProviderState | undefined> => undefined) },
    Twilio: { readState: vi.fn(async () => twilio) },
  };
  const onRefused = vi.fn();
  const onAccount = vi.fn();
  const states = watchProviders(clients, onRefused, undefined, onAccount);
  return { states, clients, onRefused, onAccount };
}

test('the states are those of the latest reports, read at once, every second until the first one, and every ten seconds', async () => {
  const { states, clients } = setUp({ mode: 'live', account: account('ok') });
  expect(states.of('Twilio')).toEqual({ mode: null, account: null });
  await vi.advanceTimersByTimeAsync(0);
  expect(states.of('Twilio')).toEqual({ mode: 'live', account: account('ok') });
  expect(states.of('Aldeamo')).toEqual({ mode: null, account: null });
  clients.Aldeamo.readState.mockResolvedValue({ mode: 'sandbox', account: null });
  clients.Twilio.readState.mockResolvedValue(undefined);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(states.of('Aldeamo')).toEqual({ mode: 'sandbox', account: null });
  expect(states.of('Twilio').mode).toBe('live'); // as it was reported last
  states.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(clients.Aldeamo.readState).toHaveBeenCalledTimes(3); // at once, after a second and after ten
  expect(clients.Twilio.readState).toHaveBeenCalledTimes(2);
});

test('a refusal is reported once, and once more after it came again', async () => {
  const { clients, onRefused, states } = setUp({ mode: 'live', account: account('refused') });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(onRefused.mock.calls).toEqual([['Twilio', 'credentials']]);
  clients.Twilio.readState.mockResolvedValue({ mode: 'live', account: account('ok') });
  await vi.advanceTimersByTimeAsync(10_000);
  const again = account('refused', '2026-01-01T01:00:00.000Z');
  clients.Twilio.readState.mockResolvedValue({ mode: 'live', account: again });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(onRefused).toHaveBeenCalledTimes(2);
  states.stop();
});

test('given two replicas of which one is refused, reports that once, so that the circuit that the other closes stays closed', async () => {
  const { clients, onRefused, states } = setUp(undefined);
  let turn = 0;
  const replicas = [account('refused'), account('ok', '2026-01-01T02:00:00.000Z')] as const;
  clients.Twilio.readState.mockImplementation(async () => ({
    mode: 'live' as const,
    account: replicas[turn++ % 2] ?? null,
  }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(turn).toBeGreaterThan(4);
  expect(onRefused.mock.calls).toEqual([['Twilio', 'credentials']]);
  states.stop();
});

test('each report of an account is passed on', async () => {
  const { clients, states, onAccount } = setUp({ mode: 'live', account: account('ok') });
  await vi.advanceTimersByTimeAsync(0);
  clients.Twilio.readState.mockResolvedValue({ mode: 'live', account: account('refused') });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(onAccount.mock.calls).toEqual([
    ['Twilio', account('ok')],
    ['Twilio', account('refused')],
  ]);
  states.stop();
});
