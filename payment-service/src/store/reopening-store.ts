import type { FastifyBaseLogger } from 'fastify';
import { openLazily } from 'service-kit/open-lazily.ts';
import { type Store, StoreUnavailable } from './store.ts';

/** Why a store cannot be opened, with the remedy, in one line; undefined if that is not known. */
type Explain = (cause: unknown) => string | undefined;

/** Called with the error of each call that failed. It must not throw. */
type FailureObserver = (error: unknown) => void;

/**
 * A store whose database may not be available yet, such as one on a disk that is full or read-only at the start, or one whose
 * server starts after this process. Until it can be opened the service is not ready, every call throws StoreUnavailable, and
 * the log has the error, once for as long as it stays the same.
 */
export function createReopeningStore(
  open: () => Store | Promise<Store>,
  log: FastifyBaseLogger,
  explain: Explain = () => undefined,
  onFailure: FailureObserver = () => {},
): Store {
  let logged: string | undefined;

  function refuse(cause: unknown): StoreUnavailable {
    const unavailable = new StoreUnavailable('the store cannot be opened', { cause });
    const why = explain(cause) ?? (cause as Error).message;
    if (why !== logged) {
      const fields = unavailable.isOutage ? {} : { err: cause };
      log.error(fields, `the database cannot be opened; payments are refused until it can: ${why}`);
    }
    logged = why;
    return unavailable;
  }

  const database = openLazily(
    async () => {
      try {
        const store = await open();
        if (logged !== undefined) log.info('the database is open; payments are taken');
        return store;
      } catch (cause) {
        throw refuse(cause);
      }
    },
    (why) => new StoreUnavailable(`the store is ${why}`),
  );

  /** Without a promise of its own to wait for once the store is open: each payment calls it twice. */
  function withStore<T>(ask: (store: Store) => Promise<T>): Promise<T> {
    const asked = database.opened ? ask(database.opened) : database.open().then(ask);
    asked.catch(onFailure);
    return asked;
  }

  return {
    insert: (...args) => withStore((store) => store.insert(...args)),
    update: (...args) => withStore((store) => store.update(...args)),
    amend: (...args) => withStore((store) => store.amend(...args)),
    storeAnswer: (...args) => withStore((store) => store.storeAnswer(...args)),
    findKey: (...args) => withStore((store) => store.findKey(...args)),
    find: (...args) => withStore((store) => store.find(...args)),
    list: (...args) => withStore((store) => store.list(...args)),
    backlog: () => withStore((store) => store.backlog()),
    putPhone: (...args) => withStore((store) => store.putPhone(...args)),
    findPhone: (...args) => withStore((store) => store.findPhone(...args)),
    releaseHeld: (...args) => withStore((store) => store.releaseHeld(...args)),
    deletePhone: (...args) => withStore((store) => store.deletePhone(...args)),
    claimAsks: (...args) => withStore((store) => store.claimAsks(...args)),
    claimDue: (...args) => withStore((store) => store.claimDue(...args)),
    bringForward: (...args) => withStore((store) => store.bringForward(...args)),
    claim: (...args) => withStore((store) => store.claim(...args)),
    seize: (...args) => withStore((store) => store.seize(...args)),
    deleteKeys: (...args) => withStore((store) => store.deleteKeys(...args)),
    redact: (...args) => withStore((store) => store.redact(...args)),
    eraseNext: (...args) => withStore((store) => store.eraseNext(...args)),
    listIds: (...args) => withStore((store) => store.listIds(...args)),
    takeOfDay: (...args) => withStore((store) => store.takeOfDay(...args)),
    takeOfRecipient: (...args) => withStore((store) => store.takeOfRecipient(...args)),
    deleteCounts: (...args) => withStore((store) => store.deleteCounts(...args)),
    putSuppression: (...args) => withStore((store) => store.putSuppression(...args)),
    findSuppression: (...args) => withStore((store) => store.findSuppression(...args)),
    listSuppressions: (...args) => withStore((store) => store.listSuppressions(...args)),
    deleteSuppression: (...args) => withStore((store) => store.deleteSuppression(...args)),
    liftOptOut: (...args) => withStore((store) => store.liftOptOut(...args)),
    readControls: () => withStore((store) => store.readControls()),
    putHold: (...args) => withStore((store) => store.putHold(...args)),
    deleteHold: (...args) => withStore((store) => store.deleteHold(...args)),
    requestRecovery: (...args) => withStore((store) => store.requestRecovery(...args)),
    readEvents: (...args) => withStore((store) => store.readEvents(...args)),
    deleteEvents: (...args) => withStore((store) => store.deleteEvents(...args)),
    claimWebhooks: (...args) => withStore((store) => store.claimWebhooks(...args)),
    settleWebhooks: (...args) => withStore((store) => store.settleWebhooks(...args)),
    listWebhooks: (...args) => withStore((store) => store.listWebhooks(...args)),
    replayWebhook: (...args) => withStore((store) => store.replayWebhook(...args)),
    replayDeadWebhooks: (...args) => withStore((store) => store.replayDeadWebhooks(...args)),
    countWebhooks: () => withStore((store) => store.countWebhooks()),
    recordHistory: (...args) => withStore((store) => store.recordHistory(...args)),
    readHistory: (...args) => withStore((store) => store.readHistory(...args)),
    deleteHistory: (...args) => withStore((store) => store.deleteHistory(...args)),
    putSums: (...args) => withStore((store) => store.putSums(...args)),
    readSums: (...args) => withStore((store) => store.readSums(...args)),
    deleteSums: (...args) => withStore((store) => store.deleteSums(...args)),
    countHeld: () => withStore((store) => store.countHeld()),
    check: () => withStore((store) => store.check()),
    // An open that is under way ends with the process: it may be waiting for another replica's migration.
    close: async () => database.opened?.close(),
  };
}
