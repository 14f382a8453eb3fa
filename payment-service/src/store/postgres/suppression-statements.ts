import type { Suppression } from '../../domain/suppression.ts';
import { suppressionColumns } from '../columns.ts';
import { pageOf, type SuppressionQuery, type SuppressionStore } from '../suppressions.ts';
import { isText, type Query } from './query.ts';

const names = Object.keys(suppressionColumns) as (keyof Suppression)[];
const columns = names.join(', ');

/** An expression: whether this phone gets no SMS. */
export const isSuppressed = (phone: string) =>
  `((SELECT suppression_id FROM suppressions WHERE suppressions.phone = ${phone}) IS NOT NULL)`;

/** The statements about suppressions. */
export function suppressionStatements(query: Query): SuppressionStore {
  const select = async (name: string, rest: string, values: unknown[]) =>
    query<Suppression>(name, `SELECT ${columns} FROM suppressions ${rest}`, values);
  const byId = async (id: string) =>
    isText(id) ? select('find_suppression', 'WHERE suppression_id = $1', [id]) : [];
  const byPhone = (phone: string) => select('find_suppression_of', 'WHERE phone = $1', [phone]);
  const page = ({ limit, starting_after: after }: SuppressionQuery) =>
    after === undefined
      ? select('list_suppressions', 'ORDER BY suppression_id DESC LIMIT $1', [limit])
      : select('list_suppressions_after', 'WHERE suppression_id < $2 ORDER BY suppression_id DESC LIMIT $1', [
          limit,
          after,
        ]);

  return {
    async putSuppression(given) {
      for (;;) {
        const [put] = await query<Suppression>(
          'put_suppression',
          `INSERT INTO suppressions (${columns}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})
           ON CONFLICT (phone) DO UPDATE SET source = excluded.source, reason = excluded.reason, provider = NULL
             WHERE excluded.source = 'admin' AND suppressions.source = 'opt_out'
           RETURNING ${columns}`,
          names.map((name) => given[name]),
        );
        const [suppression] = put ? [put] : await byPhone(given.phone);
        if (suppression) return { suppression, isNew: suppression.suppression_id === given.suppression_id };
        // The phone had one, and it has been deleted since.
      }
    },

    findSuppression: async (by) => (await ('phone' in by ? byPhone(by.phone) : byId(by.suppression_id)))[0],

    async listSuppressions(given) {
      const { limit, starting_after: after } = given;
      if (after !== undefined && (await byId(after)).length === 0) return undefined;
      return pageOf(await page({ ...given, limit: limit + 1 }), limit);
    },

    async deleteSuppression(id) {
      const deleteText = 'DELETE FROM suppressions WHERE suppression_id = $1 RETURNING 1';
      return isText(id) && (await query('delete_suppression', deleteText, [id])).length > 0;
    },

    async liftOptOut(phone) {
      const deleteText = "DELETE FROM suppressions WHERE phone = $1 AND source = 'opt_out' RETURNING 1";
      return (await query('lift_opt_out', deleteText, [phone])).length > 0;
    },
  };
}
