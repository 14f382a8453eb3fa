import { faultOf, type StoreFault } from '../delivery/store-fault.ts';
import type { Payment } from '../domain/payment.ts';
import type { Backlog, Store } from '../store/store.ts';

const paymentsShown = 20;
const paymentsMaxAgeMs = 5000;
/** Also after a change, because the check commits a durable write. */
const conditionMaxAgeMs = 2000;

/** What the live page shows of the store. */
export interface StoreView {
  read(): Promise<{
    /** Null while they cannot be read. */
    latest: { payments: Payment[]; backlog: Backlog } | null;
    /** Null while it cannot be read. */
    counts: { held: Record<string, number>; deadLetters: number } | null;
    /** Why the store takes no payment; null if it does. */
    fault: StoreFault | null;
  }>;
  /** Marks the payments as outdated, because one has changed. */
  invalidate(): void;
}

/**
 * Reads the payments after `invalidate`, and at the latest every 5 s, because messages of other replicas can be lost; the
 * condition of the store and its counts every 2 s. What cannot be read is tried again with each read.
 */
export function createStoreView(
  store: Pick<Store, 'list' | 'backlog' | 'countHeld' | 'countWebhooks' | 'check'>,
): StoreView {
  const query = { limit: paymentsShown };
  const latest = createCache(paymentsMaxAgeMs, async () => {
    const [page, backlog] = await Promise.all([store.list(query), store.backlog()]);
    return { payments: page?.payments ?? [], backlog };
  });
  const counts = createCache(conditionMaxAgeMs, async () => {
    const [held, { dead }] = await Promise.all([store.countHeld(), store.countWebhooks()]);
    return { held, deadLetters: dead };
  });
  const condition = createCache(conditionMaxAgeMs, () =>
    store.check().then(
      () => ({ fault: null }),
      (error: unknown) => ({ fault: faultOf(error) }),
    ),
  );

  return {
    async read() {
      const [payments, counted, checked] = await Promise.all([
        latest.read(),
        counts.read(),
        condition.read(),
      ]);
      return { latest: payments, counts: counted, fault: checked?.fault ?? null };
    },
    invalidate: latest.invalidate,
  };
}

/** The last result for this time, in ms, and until it is invalidated; null if the read has failed. */
function createCache<T>(maxAgeMs: number, load: () => Promise<T>) {
  let cached: T | null = null;
  let readAt = Number.NEGATIVE_INFINITY;
  let reads = 0;

  return {
    async read(): Promise<T | null> {
      if (performance.now() - readAt < maxAgeMs) return cached;
      readAt = performance.now(); // set before the read, because a change during it may be missing in the result
      reads += 1;
      const read = reads;
      const found = await load().catch(() => null);
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
