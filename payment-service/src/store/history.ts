import type { Provider } from 'service-kit/contract/notification.ts';
import type { HistoryEntry, HistoryKind } from '../domain/history.ts';

/** Entries with an id from `from` on and before `before`, which may be beginnings of ids: they begin with their time. */
export interface HistoryQuery {
  limit: number;
  from: string;
  before: string;
  kind?: HistoryKind | undefined;
  provider?: Provider | undefined;
}

export interface HistoryPage {
  /** Newest first. */
  entries: HistoryEntry[];
  has_more: boolean;
}

/** The part of the store that keeps what happened to the providers, the store and the service. */
export interface HistoryStore {
  /** An entry that is stored already stays as it is, so that entries whose commit is unknown can be recorded again. */
  recordHistory(entries: HistoryEntry[]): Promise<void>;
  readHistory(query: HistoryQuery): Promise<HistoryPage>;
  /** Deletes up to `limit` of the oldest entries from before this time (ms since the epoch); returns how many. */
  deleteHistory(before: number, limit: number): Promise<number>;
}

/** The page of `limit` entries, of which one more was read. */
export const historyPageOf = (entries: HistoryEntry[], limit: number): HistoryPage => ({
  entries: entries.slice(0, limit),
  has_more: entries.length > limit,
});
