import type { AccountReport } from 'service-kit/contract/account.ts';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { ProviderClient, ProviderState } from './provider-client.ts';

/** What the provider services report of themselves. */
export interface ProviderStates {
  /** The latest report; of nulls until there is one. */
  of(provider: Provider): { mode: ProviderState['mode'] | null; account: ProviderState['account'] };
  stop(): void;
}

const readEveryMs = 10_000;
/** Until there is a first report, because a service may start after this one. */
const readAgainMs = 1000;

/**
 * Reads the state of both provider services at once and every ten seconds. Calls `onRefused` when a provider begins to refuse the
 * account, so that no payment is needed to find that out, and `onMode` and `onAccount` with each mode and account that is reported. The latest state of a service
 * that does not answer is kept, because an outage is for the circuit to find.
 */
export function watchProviders(
  clients: Record<Provider, Pick<ProviderClient, 'readState'>>,
  onRefused: (provider: Provider, reason: string | null) => void,
  onMode: (provider: Provider, mode: ProviderState['mode']) => void = () => {},
  onAccount: (provider: Provider, account: AccountReport) => void = () => {},
): ProviderStates {
  const states: Partial<Record<Provider, ProviderState>> = {};
  /** Since when the refusal has lasted that was reported last. Replicas report their states in turn, and each has its own. */
  const refusedSince: Partial<Record<Provider, string>> = {};

  async function read(provider: Provider): Promise<void> {
    const state = await clients[provider].readState();
    if (!state) return;
    states[provider] = state;
    onMode(provider, state.mode);
    const { account } = state;
    if (account) onAccount(provider, account);
    if (account?.state !== 'refused' || account.since === refusedSince[provider]) return;
    refusedSince[provider] = account.since;
    onRefused(provider, account.reason);
  }
  const providers = ['Aldeamo', 'Twilio'] as const;
  const readBoth = () => {
    for (const provider of providers) void read(provider);
  };
  const readUnknown = () => {
    for (const provider of providers) if (!states[provider]) void read(provider);
  };
  readBoth();
  const timers = [setInterval(readBoth, readEveryMs), setInterval(readUnknown, readAgainMs)];
  for (const timer of timers) timer.unref();

  return {
    of: (provider) => states[provider] ?? { mode: null, account: null },
    stop() {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
