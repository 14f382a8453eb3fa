import { type HistoryEntry, historyIdsFrom } from '../../src/domain/history.ts';
import { type HistoryPage, type HistoryQuery, historyPageOf } from '../../src/store/history.ts';
import type { SumsRow } from '../../src/store/statistics.ts';

/** History and statistics of the store for tests. */
export function createMemoryOperations() {
  const history = new Map<string, HistoryEntry>();
  const statistics = new Map<string, SumsRow>();

  function deleteFirst<Value>(from: Map<string, Value>, isOld: (key: string) => boolean, limit: number) {
    const old = [...from.keys()].filter(isOld).toSorted().slice(0, limit);
    for (const key of old) from.delete(key);
    return old.length;
  }
  const timeOf = (ms: number) => new Date(ms).toISOString();

  return {
    recordHistory(entries: HistoryEntry[]): void {
      for (const entry of entries) if (!history.has(entry.entry_id)) history.set(entry.entry_id, entry);
    },
    readHistory({ limit, from, before, kind, provider }: HistoryQuery): HistoryPage {
      const found = [...history.values()]
        .filter(({ entry_id }) => entry_id >= from && entry_id < before)
        .filter((entry) => (kind ?? entry.kind) === entry.kind)
        .filter((entry) => (provider ?? entry.provider) === entry.provider)
        .toSorted((a, b) => (a.entry_id < b.entry_id ? 1 : -1));
      return historyPageOf(found, limit);
    },
    deleteHistory: (before: number, limit: number): number =>
      deleteFirst(history, (id) => id < historyIdsFrom(before), limit),

    putSums(rows: SumsRow[]): void {
      for (const row of rows) statistics.set(`${row.hour} ${row.process} ${row.provider}`, row);
    },
    readSums: (from: number, to: number): SumsRow[] =>
      [...statistics.values()].filter(({ hour }) => hour >= timeOf(from) && hour < timeOf(to)),
    deleteSums: (before: number, limit: number): number =>
      deleteFirst(statistics, (key) => key < timeOf(before), limit),
  };
}
