import type { Provider } from 'service-kit/contract/notification.ts';
import type { ProviderClient, ProviderState } from './provider-client.ts';

/** What the provider services report of themselves. */
export interface ProviderStates {
  /** The latest report; of nulls until there is one. */
  of(provider: Provider): { mode: ProviderState['mode'] | null; account: ProviderState['account'] };
  stop(): void;
}

const readEveryMs = 10_000;

/**
 * Reads the state of both provider services at once and every ten seconds. Calls `onRefused` when an account has come to be
 * refused, so that no payment is needed to find that out. A service that does not answer keeps its latest state: that is the
 * circuit's business.
 */
export function watchProviders(
  clients: Record<Provider, Pick<ProviderClient, 'readState'>>,
  onRefused: (provider: Provider, reason: string | null) => void,
): ProviderStates {
  const states: Partial<Record<Provider, ProviderState>> = {};

  async function read(provider: Provider): Promise<void> {
    const state = await clients[provider].readState();
    if (!state) return;
    const before = states[provider]?.account;
    states[provider] = state;
    const { account } = state;
    if (account?.state === 'refused' && account.since !== before?.since) onRefused(provider, account.reason);
  }
  const readBoth = () => {
    void read('Aldeamo');
    void read('Twilio');
  };
  readBoth();
  const timer = setInterval(readBoth, readEveryMs).unref();

  return {
    of: (provider) => states[provider] ?? { mode: null, account: null },
    stop: () => clearInterval(timer),
  };
}
