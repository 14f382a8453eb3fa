import type { Provider } from 'service-kit/contract/notification.ts';
import type { Payment } from '../domain/payment.ts';
import type { ProviderModes } from '../providers/provider-modes.ts';
import type { Store } from '../store/store.ts';

/** While no provider takes an SMS, each payment has an attempt that a sandbox refused, so that few of them are enough. */
const newest = 100;

/**
 * Presumes the providers live that were so for the newest payments. Otherwise a process that starts while the service of the live
 * provider is down would let the sandbox beside it accept SMS.
 *
 * @throws StoreUnavailable
 */
export async function recallLive(
  store: Pick<Store, 'list'>,
  modes: Pick<ProviderModes, 'presumeLive'>,
): Promise<void> {
  const page = await store.list({ limit: newest });
  for (const provider of page?.payments.flatMap(liveOf) ?? []) modes.presumeLive(provider);
}

const liveOf = ({ attempts }: Payment): Provider[] =>
  attempts.flatMap(({ provider, mode, reason }) => {
    if (mode === 'live') return [provider];
    return reason === 'sandbox_beside_live' ? [provider === 'Aldeamo' ? 'Twilio' : 'Aldeamo'] : [];
  });
