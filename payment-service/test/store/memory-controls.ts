import type { Provider } from 'service-kit/contract/notification.ts';
import { isInForce, type ProviderControls, type ProviderHold } from '../../src/domain/provider-controls.ts';

/** The controls of the store in memory. */
export function createMemoryControls() {
  const controls = new Map<Provider, ProviderControls>();
  const of = (provider: Provider) =>
    controls.getOrInsertComputed(provider, () => ({ provider, hold: null, recoveries: 0 }));

  return {
    read: () => [...controls.values()],
    put(provider: Provider, hold: ProviderHold): boolean {
      const held = of(provider);
      const isHeld = held.hold !== null && isInForce(held.hold, Date.parse(hold.since));
      held.hold = isHeld && held.hold ? { ...hold, since: held.hold.since } : hold;
      return !isHeld;
    },
    delete(provider: Provider, at: string): boolean {
      const held = controls.get(provider);
      if (!held?.hold || !isInForce(held.hold, Date.parse(at))) return false;
      held.hold = null;
      return true;
    },
    request: (provider: Provider): number => (of(provider).recoveries += 1),
  };
}
