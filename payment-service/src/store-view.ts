import type { Payment } from './payment.ts';
import type { Backlog, Store } from './store/store.ts';

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

  return {
    async read() {
      if (performance.now() - readAt < maxAgeMs) return known;
      readAt = performance.now(); // what changes from here on may not be in it
      try {
        const [page, backlog] = await Promise.all([store.list(latest), store.backlog()]);
        known = { payments: page?.payments ?? [], backlog };
      } catch {
        known = null;
        readAt = Number.NEGATIVE_INFINITY;
      }
      return known;
    },
    invalidate() {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}
