import type { FastifyBaseLogger } from 'fastify';
import { type Store, StoreUnavailable } from './store.ts';

/** An open that has just failed is not tried again within this time: it may be slow, and it holds up the process. */
const retryMs = 1000;

/**
 * A store whose database may not be there yet, such as one on a disk that is full or read-only at the start: until it can
 * be opened the service is not ready, every call throws StoreUnavailable, and the log says why.
 */
export function createReopeningStore(open: () => Store, log: FastifyBaseLogger): Store {
  let opened: Store | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;

  function store(): Store {
    if (opened) return opened;
    if (performance.now() - failedAt < retryMs) throw new StoreUnavailable('the store is not open');
    try {
      opened = open();
      return opened;
    } catch (cause) {
      failedAt = performance.now();
      log.error({ err: cause }, 'the database can not be opened; payments are refused until it can');
      throw new StoreUnavailable('the store can not be opened', { cause });
    }
  }

  return {
    insert: async (...args) => store().insert(...args),
    update: async (...args) => store().update(...args),
    keepAnswer: async (...args) => store().keepAnswer(...args),
    find: async (...args) => store().find(...args),
    list: async (...args) => store().list(...args),
    backlog: async () => store().backlog(),
    putPhone: async (...args) => store().putPhone(...args),
    findPhone: async (...args) => store().findPhone(...args),
    forgetPhone: async (...args) => store().forgetPhone(...args),
    claimDue: async (...args) => store().claimDue(...args),
    claim: async (...args) => store().claim(...args),
    forgetKeys: async (...args) => store().forgetKeys(...args),
    blank: async (...args) => store().blank(...args),
    check: async () => store().check(),
    close: async () => opened?.close(),
  };
}
