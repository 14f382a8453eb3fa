import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HistoryEntry, historyIdsFrom, newHistoryEntry } from '../../src/domain/history.ts';
import type { StoredSums } from '../../src/domain/statistics.ts';
import type { SumsRow } from '../../src/store/statistics.ts';
import type { Store } from '../../src/store/store.ts';

const hourMs = 3_600_000;
const start = Date.UTC(2026, 0, 31);
const hourAt = (hour: number) => new Date(start + hour * hourMs).toISOString();

/** An entry of this second. */
const entryAt = (second: number, fields: Partial<HistoryEntry> = {}): HistoryEntry => {
  const entry_id = `${historyIdsFrom(start + second * 1000)}${'0'.repeat(20)}`;
  const at = new Date(start + second * 1000).toISOString();
  return {
    ...newHistoryEntry('circuit_opened', { provider: 'Aldeamo' }, 'replica-1'),
    entry_id,
    at,
    ...fields,
  };
};
const everything = { limit: 100, from: historyIdsFrom(0), before: 'hst_~' };

const sums = (sent: number): StoredSums => ({
  ...{ sent, segments: 2 * sent, delivered: 0 },
  failed: [['expired', 1]],
  accepted: [[50, sent]],
  delivery: [],
});
const rowOf = (hour: number, process: string, provider: string, sent: number): SumsRow => ({
  ...{ hour: hourAt(hour), process, provider },
  sums: sums(sent),
});
const sorted = (rows: SumsRow[]) => rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** The part of the store's contract that is about history and statistics. `open` opens an empty store. */
export function describeOperations(name: string, open: (leaseMs: number) => Store | Promise<Store>): void {
  let store: Store;
  const useStore = () => {
    beforeEach(async () => {
      store = await open(10_000);
    });
    afterEach(() => store.close());
  };

  describe(`${name}: the history`, () => {
    useStore();
    test('is read newest first, page after page', async () => {
      const entries = [1, 2, 3].map((second) => entryAt(second));
      await store.recordHistory(entries);
      const [first, second, third] = entries as [HistoryEntry, HistoryEntry, HistoryEntry];
      expect(await store.readHistory(everything)).toStrictEqual({
        entries: [third, second, first],
        has_more: false,
      });
      const page = await store.readHistory({ ...everything, limit: 2 });
      expect(page).toStrictEqual({ entries: [third, second], has_more: true });
      const next = await store.readHistory({ ...everything, limit: 2, before: second.entry_id });
      expect(next).toStrictEqual({ entries: [first], has_more: false });
    });

    test('keeps each field of an entry, and those that it has not as null', async () => {
      const given = [
        entryAt(2, { kind: 'provider_held', by: 'ana', reason: 'planned work' }),
        entryAt(1, { kind: 'store_up', provider: null }),
      ];
      await store.recordHistory(given);
      expect((await store.readHistory(everything)).entries).toStrictEqual(given);
    });

    test('is filtered by kind, provider and time', async () => {
      const [opened, closed, ofTwilio] = [
        entryAt(1),
        entryAt(2, { kind: 'circuit_closed' }),
        entryAt(3, { provider: 'Twilio' }),
      ];
      await store.recordHistory([opened, closed, ofTwilio]);
      const found = async (filters: object) =>
        (await store.readHistory({ ...everything, ...filters })).entries;
      expect(await found({ kind: 'circuit_opened' })).toStrictEqual([ofTwilio, opened]);
      expect(await found({ provider: 'Aldeamo' })).toStrictEqual([closed, opened]);
      expect(await found({ kind: 'circuit_opened', provider: 'Aldeamo' })).toStrictEqual([opened]);
      const [from, before] = [historyIdsFrom(start + 2000), historyIdsFrom(start + 3000)];
      expect(await found({ from, before })).toStrictEqual([closed]);
      expect(await found({ kind: 'circuit_opened', from })).toStrictEqual([ofTwilio]);
    });

    test('has an entry once that was recorded again', async () => {
      await store.recordHistory([entryAt(1)]);
      await store.recordHistory([entryAt(1, { reason: 'another' }), entryAt(2)]);
      expect((await store.readHistory(everything)).entries).toStrictEqual([entryAt(2), entryAt(1)]);
    });

    test('loses the oldest entries from before a time, up to a limit', async () => {
      await store.recordHistory([1, 2, 3, 4].map((second) => entryAt(second)));
      expect(await store.deleteHistory(start + 4000, 2)).toBe(2);
      expect((await store.readHistory(everything)).entries).toStrictEqual([entryAt(4), entryAt(3)]);
      expect(await store.deleteHistory(start + 4000, 2)).toBe(1);
      expect(await store.deleteHistory(start + 4000, 2)).toBe(0);
    });
  });

  describe(`${name}: the statistics`, () => {
    useStore();
    test('are read by hour, from one on and before another', async () => {
      const rows = [0, 1, 2, 3].map((hour) => rowOf(hour, 'process-1', 'Aldeamo', hour));
      await store.putSums(rows);
      expect(sorted(await store.readSums(start + hourMs, start + 3 * hourMs))).toStrictEqual(
        rows.slice(1, 3),
      );
    });

    test('replace what the same process has written of the hour and the provider, and nothing else', async () => {
      const others = [rowOf(0, 'process-1', '', 1), rowOf(0, 'process-2', 'Aldeamo', 2)];
      await store.putSums([rowOf(0, 'process-1', 'Aldeamo', 3), ...others]);
      await store.putSums([rowOf(0, 'process-1', 'Aldeamo', 4)]);
      expect(sorted(await store.readSums(start, start + hourMs))).toStrictEqual(
        sorted([rowOf(0, 'process-1', 'Aldeamo', 4), ...others]),
      );
    });

    test('lose the hours from before a time, up to a limit', async () => {
      await store.putSums([0, 1, 2, 3].map((hour) => rowOf(hour, 'process-1', 'Aldeamo', hour)));
      expect(await store.deleteSums(start + 3 * hourMs, 2)).toBe(2);
      expect(await store.deleteSums(start + 3 * hourMs, 2)).toBe(1);
      expect(await store.readSums(0, start + 9 * hourMs)).toStrictEqual([
        rowOf(3, 'process-1', 'Aldeamo', 3),
      ]);
    });
  });
}
