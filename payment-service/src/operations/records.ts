import type { FastifyBaseLogger } from 'fastify';
import type { Server } from 'service-kit/http/types.ts';
import type { ClockWatch } from '../delivery/clock-watch.ts';
import { dayMs } from '../domain/bounds.ts';
import type { PaymentObserver } from '../domain/payment.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { Store } from '../store/store.ts';
import type { History } from './history.ts';
import { registerHistory } from './history-route.ts';
import { repeat } from './repeat.ts';
import { startStatistics } from './statistics.ts';
import { registerStatistics } from './statistics-route.ts';

export interface RecordOptions {
  history: History;
  /** How long an entry of the history is kept, in ms. */
  historyRetentionMs: number;
  keepsStatistics: boolean;
}

interface Sources extends RecordOptions {
  store: Store;
  clock: Pick<ClockWatch, 'mayExpire'>;
  visibility: Visibility;
  log: FastifyBaseLogger;
}

export interface Records {
  onChange: PaymentObserver;
  /** Writes what is not written yet. */
  stop(): Promise<void>;
}

const deleteEveryMs = 60_000;
const deletedAtATime = 1000;
const statisticsRetentionMs = 400 * dayMs;

/** Registers the routes of history and statistics, and starts what writes and deletes them in the background. */
export function registerRecords(server: Server, sources: Sources): Records {
  const { store, clock, visibility, log, history, historyRetentionMs, keepsStatistics } = sources;
  registerHistory(server, { store, isKept: history.isKept, visibility });
  registerStatistics(server, { store, isKept: keepsStatistics, visibility });

  /** Also while none are recorded: they may have been. */
  async function deleteOld(): Promise<void> {
    const now = Date.now();
    if (!clock.mayExpire()) return; // after `now` was read, because the clock may be set between the two
    await deleteAll((limit) => store.deleteHistory(now - historyRetentionMs, limit));
    await deleteAll((limit) => store.deleteSums(now - statisticsRetentionMs, limit));
  }

  const statistics = keepsStatistics ? startStatistics(store, log) : undefined;
  const background = [history.start(store), repeat(deleteOld, deleteEveryMs, log)];
  return {
    onChange: (payment, before) => statistics?.onChange(payment, before),
    async stop() {
      await Promise.all([statistics, ...background].map((part) => part?.stop()));
    },
  };
}

async function deleteAll(deleteSome: (limit: number) => Promise<number>): Promise<void> {
  while ((await deleteSome(deletedAtATime)) === deletedAtATime);
}
