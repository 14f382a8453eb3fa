import { existsSync, realpathSync } from 'node:fs';
import type { FastifyBaseLogger } from 'fastify';
import { takeFromOthers } from 'service-kit/private-files.ts';
import type { EventRecording } from './events.ts';
import { openSqliteStore } from './sqlite/store.ts';
import type { FaultObserver, Store, UnreadableObserver } from './store.ts';

const file = 'file:';

export interface OpenStoreOptions {
  leaseMs: number;
  /** The name of this process among the replicas on a PostgreSQL. Default: that of the host. */
  replicaName?: string | undefined;
  /** Default: off. */
  events?: EventRecording;
  /** Default: false. */
  clientsIsolated?: boolean;
  log: FastifyBaseLogger;
  onUnreadable: UnreadableObserver;
}

/** The store of one process at `file:` and a path, or that of several replicas at a `postgres://` URL. */
export async function openStore(url: string, options: OpenStoreOptions): Promise<Store> {
  const { leaseMs, log, replicaName, events, clientsIsolated } = options;
  const onUnreadable = nameOnce(log, options.onUnreadable);
  if (url.startsWith(file)) {
    const path = url.slice(file.length);
    closeToOthers(path, log);
    return openSqliteStore({
      ...{ path, leaseMs, events, clientsIsolated, onUnreadable },
      onFault: logFaults(log),
    });
  }
  const { openPostgresStore } = await import('./postgres/store.ts'); // imported here, so that SQLite does not load pg
  return openPostgresStore({ url, leaseMs, events, clientsIsolated, log, replicaName, onUnreadable });
}

/** For a database of an earlier release, whose files others could read. */
function closeToOthers(path: string, log: FastifyBaseLogger): void {
  const real = existsSync(path) ? realpathSync(path) : path;
  for (const each of [real, `${real}-wal`, `${real}-shm`]) {
    const err = takeFromOthers(each);
    if (err)
      log.warn(
        { err },
        'other users may be able to read the database, because its permissions cannot be changed',
      );
  }
}

/** So that a table of which much is damaged fills neither the log nor the memory. */
const maxNamed = 1000;

/** Logs the id of each payment that cannot be read once, without what is in its record, and passes each report on. */
function nameOnce(log: FastifyBaseLogger, observer: UnreadableObserver): UnreadableObserver {
  const named = new Set<string>();
  return (paymentId) => {
    observer(paymentId);
    if (named.has(paymentId) || named.size >= maxNamed) return;
    named.add(paymentId);
    log.error(
      { payment_id: paymentId },
      'the record of a payment cannot be read; its notification is postponed until the record is repaired',
    );
  };
}

/** Logs the start and the end of a fault, since every write meets it. */
function logFaults(log: FastifyBaseLogger): FaultObserver {
  let isFaulty = false;
  return (fault) => {
    if (isFaulty === (fault !== undefined)) return;
    isFaulty = fault !== undefined;
    if (isFaulty) {
      log.error(
        { fault },
        'the database was removed, renamed or replaced; payments are refused until its files are back',
      );
    } else log.info('the files of the database are back; payments are accepted again');
  };
}
