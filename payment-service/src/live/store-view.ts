import type { Payment } from '../domain/payment.ts';
import type { Backlog, Store } from '../store/store.ts';

const paymentsShown = 20;
const maxAgeMs = 5000;

/** A cache of what the live page shows of the store. */
export interface StoreView {
  /** Null while the store is unavailable. */
  read(): Promise<{ payments: Payment[]; backlog: Backlog } | null>;
  /** Marks the cache as outdated, because a payment has changed. */
  invalidate(): void;
}

/** Reads the store after `invalidate`, and at the latest every 5 s, because messages of other replicas can be lost. */
export function createStoreView(store: Pick<Store, 'list' | 'backlog'>): StoreView {
  const latest = { limit: paymentsShown };
  let cached: Awaited<ReturnType<StoreView['read']>> = null;
  let readAt = Number.NEGATIVE_INFINITY;
  let reads = 0;

  return {
    async read() {
      if (performance.now() - readAt < maxAgeMs) return cached;
      readAt = performance.now(); // set before the read, because a change during it may be missing in the result
      reads += 1;
      const read = reads;
      const found = await Promise.all([store.list(latest), store.backlog()]).then(
        ([page, backlog]) => ({ payments: page?.payments ?? [], backlog }),
        () => null,
      );
      if (read !== reads) return found; // a later read has replaced it
      if (!found) readAt = Number.NEGATIVE_INFINITY;
      cached = found;
      return cached;
    },
    invalidate() {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}
