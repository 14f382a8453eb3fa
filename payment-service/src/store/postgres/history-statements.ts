import { type HistoryEntry, historyIdsFrom } from '../../domain/history.ts';
import { historyColumns } from '../columns.ts';
import { type HistoryQuery, type HistoryStore, historyPageOf } from '../history.ts';
import type { Query } from './query.ts';

const names = Object.keys(historyColumns) as (keyof HistoryEntry)[];
const columns = names.join(', ');
const arrays = Object.values(historyColumns).map((type, index) => `$${index + 1}::${type}[]`);

/** The statements about the history. */
export function historyStatements(query: Query): HistoryStore {
  const select = ({ limit, from, before, provider, kind }: HistoryQuery) => {
    const page = (name: string, condition: string, values: string[]) =>
      query<HistoryEntry>(
        name,
        `SELECT ${columns} FROM history
         WHERE entry_id >= $2 AND entry_id < $3 AND ($4::text IS NULL OR provider = $4) ${condition}
         ORDER BY entry_id DESC LIMIT $1`,
        [limit, from, before, provider ?? null, ...values],
      );
    return kind === undefined
      ? page('read_history', '', [])
      : page('read_history_of_kind', 'AND kind = $5', [kind]);
  };

  return {
    async recordHistory(entries) {
      await query(
        'record_history',
        `INSERT INTO history (${columns}) SELECT * FROM unnest(${arrays.join(', ')}) ON CONFLICT DO NOTHING`,
        names.map((name) => entries.map((entry) => entry[name])),
      );
    },

    readHistory: async (given) =>
      historyPageOf(await select({ ...given, limit: given.limit + 1 }), given.limit),

    async deleteHistory(before, limit) {
      const deleted = await query(
        'delete_history',
        `DELETE FROM history
         WHERE entry_id = ANY (ARRAY (
           SELECT entry_id FROM history WHERE entry_id < $1 ORDER BY entry_id LIMIT $2 FOR UPDATE SKIP LOCKED
         ))
         RETURNING 1`,
        [historyIdsFrom(before), limit],
      );
      return deleted.length;
    },
  };
}
