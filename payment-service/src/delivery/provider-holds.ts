import type { Provider } from 'service-kit/contract/notification.ts';
import { isInForce, type ProviderControls, type ProviderHold } from '../domain/provider-controls.ts';
import type { Store } from '../store/store.ts';

/** The providers that operators have taken out of service, as the store was read last. */
export interface ProviderHolds {
  /** The time by which holds end, in ms since the epoch: not a wrong one by a wall clock that was just set ahead. */
  now(): number;
  /** The hold that is in force now; null without one. */
  of(provider: Provider): ProviderHold | null;
  /** The store has just recorded this hold, or the release: a read that began before may have missed it. */
  put(provider: Provider, hold: ProviderHold | null): void;
  /**
   * Reads the store. What was known stays while the store is unavailable. Returns undefined if a read that began later has ended
   * already, because what this one has found may be outdated.
   *
   * @throws StoreUnavailable
   */
  read(store: Pick<Store, 'readControls'>): Promise<ProviderControls[] | undefined>;
}

export function createProviderHolds(now: () => number = Date.now): ProviderHolds {
  const holds = new Map<Provider, ProviderHold | null>();
  let begun = 0;
  let newest = 0;

  return {
    now,
    of(provider) {
      const hold = holds.get(provider);
      return hold && isInForce(hold, now()) ? hold : null;
    },
    put(provider, hold) {
      begun += 1;
      newest = begun;
      holds.set(provider, hold);
    },
    async read(store) {
      begun += 1;
      const read = begun;
      const controls = await store.readControls();
      if (read < newest) return undefined;
      newest = read;
      holds.clear();
      for (const { provider, hold } of controls) holds.set(provider, hold);
      return controls;
    },
  };
}
