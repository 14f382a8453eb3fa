import type { Payment } from '../domain/payment.ts';
import type { Backlog, Store } from '../store/store.ts';

const paymentsShown = 20;
const maxAgeMs = 5000;

/** What those who watch are shown of the store; null while it does not answer. */
export interface StoreView {
  read(): Promise<{ payments: Payment[]; backlog: Backlog } | null>;
  /** What was read is no longer how it is. */
  invalidate(): void;
}

/** Reads the store only when somebody says that it has changed; and when nobody has for 5 s, in case it was not heard. */
export function createStoreView(store: Pick<Store, 'list' | 'backlog'>): StoreView {
  const latest = {
    limit: paymentsShown,
    starting_after: undefined,
    customer_id: undefined,
    notification_status: undefined,
  };
  let known: Awaited<ReturnType<StoreView['read']>> = null;
  let readAt = Number.NEGATIVE_INFINITY;
  let reads = 0;

  return {
    async read() {
      if (performance.now() - readAt < maxAgeMs) return known;
      readAt = performance.now(); // what changes from here on may not be in it
      reads += 1;
      const read = reads;
      const found = await Promise.all([store.list(latest), store.backlog()]).then(
        ([page, backlog]) => ({ payments: page?.payments ?? [], backlog }),
        () => null,
      );
      if (read !== reads) return found; // a later one knows better
      if (!found) readAt = Number.NEGATIVE_INFINITY;
      known = found;
      return known;
    },
    invalidate() {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}
