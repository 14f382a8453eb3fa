import { statisticsColumns } from '../columns.ts';
import type { StatisticsStore, SumsRow } from '../statistics.ts';
import type { Query } from './query.ts';

const columns = Object.keys(statisticsColumns).join(', ');
const arrays = Object.values(statisticsColumns).map((type, index) => `$${index + 1}::${type}[]`);
const timeOf = (ms: number) => new Date(ms).toISOString();

/** The statements about the statistics. */
export const statisticsStatements = (query: Query): StatisticsStore => ({
  async putSums(rows) {
    await query(
      'put_sums',
      `INSERT INTO statistics (${columns}) SELECT * FROM unnest(${arrays.join(', ')})
       ON CONFLICT (hour, process, provider) DO UPDATE SET sums = excluded.sums`,
      [
        rows.map(({ hour }) => hour),
        rows.map(({ process }) => process),
        rows.map(({ provider }) => provider),
        rows.map(({ sums }) => JSON.stringify(sums)),
      ],
    );
  },

  readSums: (from, to) =>
    query<SumsRow>('read_sums', `SELECT ${columns} FROM statistics WHERE hour >= $1 AND hour < $2`, [
      timeOf(from),
      timeOf(to),
    ]),

  async deleteSums(before, limit) {
    const deleted = await query(
      'delete_sums',
      `DELETE FROM statistics
       WHERE (hour, process, provider) IN (
         SELECT hour, process, provider FROM statistics WHERE hour < $1 ORDER BY hour LIMIT $2 FOR UPDATE SKIP LOCKED
       )
       RETURNING 1`,
      [timeOf(before), limit],
    );
    return deleted.length;
  },
});
