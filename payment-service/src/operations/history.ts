import type { FastifyBaseLogger } from 'fastify';
import type { AccountReport } from 'service-kit/contract/account.ts';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { NotifierObserver } from '../delivery/provider-breaker.ts';
import {
  type HistoryDetails,
  type HistoryEntry,
  type HistoryKind,
  newHistoryEntry,
} from '../domain/history.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { repeat } from './repeat.ts';

export interface History {
  isKept: boolean;
  /** Never throws, and waits for nothing: the entry is written in the background. */
  record(kind: HistoryKind, details?: HistoryDetails): void;
  /** Of the notifier: records when circuits open and close, and accounts are refused and accepted. */
  observer: Pick<NotifierObserver, 'circuitChanged' | 'accountReported'>;
  /** Called with the error of each call of the store that failed: the first one of an outage is recorded. */
  storeFailed(error: unknown): void;
  /** Records the start, and writes the entries to the store from now on. */
  start(store: Pick<Store, 'check' | 'recordHistory'>): { stop(): Promise<void> };
}

export interface HistoryOptions {
  isKept: boolean;
  /** The name of this process among its replicas. */
  replica: string;
  version: string;
  log: FastifyBaseLogger;
}

const writeEveryMs = 1000;
/** While the store is down. */
const maxWaiting = 1000;

/** Collects what happens to the providers and the store, as this replica sees it. */
export function createHistory({ isKept, replica, version, log }: HistoryOptions): History {
  let waiting: HistoryEntry[] = [];
  /** How many were dropped from before the first one that waits. */
  let dropped = 0;
  let isDown = false;
  const { circuitChanged, accountReported } = observe(record);

  function record(kind: HistoryKind, details: HistoryDetails = {}): void {
    if (!isKept) return;
    waiting.push(newHistoryEntry(kind, details, replica));
    if (waiting.length <= maxWaiting) return;
    waiting.shift();
    dropped += 1;
  }

  /** An outage has ended once the store takes a durable write. */
  async function endOutage(store: Pick<Store, 'check'>): Promise<void> {
    if (!isDown) return;
    await store.check();
    isDown = false;
    record('store_up');
  }

  /** In one commit. */
  async function write(store: Pick<Store, 'recordHistory'>): Promise<void> {
    if (waiting.length === 0) return;
    const written = new Set(waiting);
    const counted = dropped;
    await store.recordHistory(countDropped([...written], counted));
    const left = waiting.filter((entry) => !written.has(entry));
    const droppedMeanwhile = written.size - (waiting.length - left.length); // they are written, and not lost
    dropped -= counted + droppedMeanwhile;
    waiting = left;
  }

  return {
    isKept,
    record,
    observer: { circuitChanged, accountReported },

    storeFailed(error) {
      if (isDown || !(error instanceof StoreUnavailable && error.isOutage)) return;
      isDown = true;
      record('store_down', { reason: error.message });
    },

    start(store) {
      record('started', { reason: version });
      const writing = repeat(
        async () => {
          await endOutage(store);
          await write(store);
        },
        writeEveryMs,
        log,
      );
      return {
        async stop() {
          await writing.stop();
          await write(store).catch((err: unknown) =>
            log.warn({ err, entries: waiting.length }, 'the last entries of the history are lost'),
          );
        },
      };
    },
  };
}

function countDropped(entries: HistoryEntry[], dropped: number): HistoryEntry[] {
  const [oldest, ...others] = entries;
  if (dropped === 0 || !oldest) return entries;
  const reason = `${oldest.reason ?? ''} (${dropped} entries before it are lost)`.trim();
  return [{ ...oldest, reason }, ...others];
}

/** Tells changes from what is only reported again. */
function observe(record: History['record']): Required<History['observer']> {
  const open = new Set<Provider>();
  const accounts: Partial<Record<Provider, AccountReport>> = {};

  return {
    /** A failed probe opens a circuit again that has never closed: neither it nor the half-open state is an entry. */
    circuitChanged(provider, state, reason) {
      if (state === 'half_open' || open.has(provider) === (state === 'open')) return;
      if (state === 'open') open.add(provider);
      else open.delete(provider);
      record(state === 'open' ? 'circuit_opened' : 'circuit_closed', { provider, reason });
    },

    /** Replicas of a provider service report in turn, and each has a state of its own: the latest one counts. */
    accountReported(provider, account) {
      const known = accounts[provider];
      if (account.state === 'unknown' || (known && account.since <= known.since)) return;
      accounts[provider] = account;
      if (account.state === known?.state) return;
      if (account.state === 'refused') record('account_refused', { provider, reason: account.reason });
      else if (known) record('account_accepted', { provider });
    },
  };
}
