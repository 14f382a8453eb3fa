import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { type Store, StoreUnavailable } from './store.ts';

/** An open that has just failed is not tried again within this time: it costs a thread, or a connection. */
const retryMs = 1000;

/** An open that takes longer, such as one that waits for another replica's migration, is not waited for. */
const waitMs = 3000;

/**
 * A store whose database may not be there yet, such as one on a disk that is full or read-only at the start, or one whose
 * server starts after this process: until it can be opened the service is not ready, every call throws StoreUnavailable,
 * and the log says why.
 */
export function createReopeningStore(open: () => Store | Promise<Store>, log: FastifyBaseLogger): Store {
  let opened: Store | undefined;
  let opening: Promise<Store> | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;

  async function store(): Promise<Store> {
    if (performance.now() - failedAt < retryMs) throw new StoreUnavailable('the store is not open');
    opening ??= tryToOpen();
    return Promise.race([opening, tooLate()]);
  }

  async function tryToOpen(): Promise<Store> {
    try {
      opened = await Promise.try(open);
      return opened;
    } catch (cause) {
      opening = undefined;
      failedAt = performance.now();
      log.error({ err: cause }, 'the database can not be opened; payments are refused until it can');
      throw new StoreUnavailable('the store can not be opened', { cause });
    }
  }

  /** Without a promise of its own once the store is open: each payment asks twice. */
  const withStore = <T>(ask: (store: Store) => Promise<T>): Promise<T> =>
    opened ? ask(opened) : store().then(ask);

  return {
    insert: (...args) => withStore((store) => store.insert(...args)),
    update: (...args) => withStore((store) => store.update(...args)),
    storeAnswer: (...args) => withStore((store) => store.storeAnswer(...args)),
    find: (...args) => withStore((store) => store.find(...args)),
    list: (...args) => withStore((store) => store.list(...args)),
    backlog: () => withStore((store) => store.backlog()),
    putPhone: (...args) => withStore((store) => store.putPhone(...args)),
    findPhone: (...args) => withStore((store) => store.findPhone(...args)),
    deletePhone: (...args) => withStore((store) => store.deletePhone(...args)),
    claimDue: (...args) => withStore((store) => store.claimDue(...args)),
    claim: (...args) => withStore((store) => store.claim(...args)),
    deleteKeys: (...args) => withStore((store) => store.deleteKeys(...args)),
    redact: (...args) => withStore((store) => store.redact(...args)),
    check: () => withStore((store) => store.check()),
    // One that is still being opened is left to the end of the process: it may wait for another replica's migration.
    close: async () => opened?.close(),
  };
}

async function tooLate(): Promise<never> {
  await delay(waitMs, undefined, { ref: false });
  throw new StoreUnavailable('the store is still being opened');
}
