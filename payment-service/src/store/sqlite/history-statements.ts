import type { DatabaseSync } from 'node:sqlite';
import { type HistoryEntry, historyIdsFrom } from '../../domain/history.ts';
import { historyColumns } from '../columns.ts';
import type { HistoryQuery } from '../history.ts';

const names = Object.keys(historyColumns);
const columns = names.join(', ');

export function prepareHistoryReads(db: DatabaseSync) {
  const preparePage = (condition: string) =>
    db.prepare(`
      SELECT ${columns} FROM history
      WHERE entry_id >= :from AND entry_id < :before AND (:provider IS NULL OR provider = :provider) ${condition}
      ORDER BY entry_id DESC LIMIT :limit`);
  const page = preparePage('');
  const pageOfKind = preparePage('AND kind = :kind');

  return {
    readHistory({ limit, from, before, provider, kind }: HistoryQuery) {
      const values = { limit, from, before, provider: provider ?? null };
      const rows = kind === undefined ? page.all(values) : pageOfKind.all({ ...values, kind });
      return rows.map((row) => ({ ...row }) as unknown as HistoryEntry);
    },
  };
}

export function prepareHistoryWrites(db: DatabaseSync) {
  const record = db.prepare(`
    INSERT INTO history (${columns}) VALUES (${names.map((name) => `:${name}`).join(', ')}) ON CONFLICT DO NOTHING`);
  const deleteOld = db.prepare(`
    DELETE FROM history
    WHERE entry_id IN (SELECT entry_id FROM history WHERE entry_id < :before ORDER BY entry_id LIMIT :limit)`);

  return {
    recordHistory(entries: HistoryEntry[]): void {
      for (const entry of entries) record.run({ ...entry });
    },
    deleteHistory: (before: number, limit: number): number =>
      Number(deleteOld.run({ before: historyIdsFrom(before), limit }).changes),
  };
}
