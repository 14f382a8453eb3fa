import type { DatabaseSync } from 'node:sqlite';
import { statisticsColumns } from '../columns.ts';
import type { SumsRow } from '../statistics.ts';

const names = Object.keys(statisticsColumns);
const columns = names.join(', ');
const timeOf = (ms: number) => new Date(ms).toISOString();

type StoredRow = Omit<SumsRow, 'sums'> & { sums: string };

export function prepareStatisticsReads(db: DatabaseSync) {
  const read = db.prepare(`SELECT ${columns} FROM statistics WHERE hour >= ? AND hour < ?`);
  return {
    readSums: (from: number, to: number): SumsRow[] =>
      (read.all(timeOf(from), timeOf(to)) as unknown as StoredRow[]).map((row) => ({
        ...row,
        sums: JSON.parse(row.sums),
      })),
  };
}

export function prepareStatisticsWrites(db: DatabaseSync) {
  const put = db.prepare(`
    INSERT INTO statistics (${columns}) VALUES (${names.map((name) => `:${name}`).join(', ')})
    ON CONFLICT (hour, process, provider) DO UPDATE SET sums = excluded.sums`);
  const deleteOld = db.prepare(`
    DELETE FROM statistics WHERE (hour, process, provider) IN (
      SELECT hour, process, provider FROM statistics WHERE hour < :before ORDER BY hour LIMIT :limit
    )`);

  return {
    putSums(rows: SumsRow[]): void {
      for (const { sums, ...row } of rows) put.run({ ...row, sums: JSON.stringify(sums) });
    },
    deleteSums: (before: number, limit: number): number =>
      Number(deleteOld.run({ before: timeOf(before), limit }).changes),
  };
}
