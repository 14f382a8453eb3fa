import type { DatabaseSync } from 'node:sqlite';
import type { Suppression } from '../../domain/suppression.ts';
import { suppressionColumns } from '../columns.ts';
import type { SuppressionQuery } from '../suppressions.ts';

const names = Object.keys(suppressionColumns);
const columns = names.join(', ');

/** Returns whether the phone gets no SMS. */
export function prepareIsSuppressed(db: DatabaseSync): (phone: string) => boolean {
  const select = db.prepare('SELECT 1 FROM suppressions WHERE phone = ?');
  return (phone) => select.get(phone) !== undefined;
}

const suppressionOfRow = (row: unknown) => (row ? ({ ...row } as Suppression) : undefined);

export function prepareSuppressionReads(db: DatabaseSync) {
  const byPhone = db.prepare(`SELECT ${columns} FROM suppressions WHERE phone = ?`);
  const byId = db.prepare(`SELECT ${columns} FROM suppressions WHERE suppression_id = ?`);
  const newest = db.prepare(`SELECT ${columns} FROM suppressions ORDER BY suppression_id DESC LIMIT ?`);
  const older = db.prepare(`
    SELECT ${columns} FROM suppressions WHERE suppression_id < ? ORDER BY suppression_id DESC LIMIT ?`);

  return {
    suppressionOf: (phone: string) => suppressionOfRow(byPhone.get(phone)),
    findSuppression: (id: string) => suppressionOfRow(byId.get(id)),
    listSuppressions: ({ limit, starting_after: after }: SuppressionQuery) =>
      (after === undefined ? newest.all(limit) : older.all(after, limit)).map(
        (row) => ({ ...row }) as unknown as Suppression,
      ),
  };
}

export function prepareSuppressionWrites(db: DatabaseSync) {
  const put = db.prepare(`
    INSERT INTO suppressions (${columns}) VALUES (${names.map((name) => `:${name}`).join(', ')})
    ON CONFLICT (phone) DO UPDATE SET source = excluded.source, reason = excluded.reason, provider = NULL
      WHERE excluded.source = 'admin' AND suppressions.source = 'opt_out'`);
  const select = db.prepare(`SELECT ${columns} FROM suppressions WHERE phone = ?`);
  const deleteOne = db.prepare('DELETE FROM suppressions WHERE suppression_id = ?');
  const lift = db.prepare(`DELETE FROM suppressions WHERE phone = ? AND source = 'opt_out'`);

  return {
    /** Returns the one that the phone has. */
    putSuppression(suppression: Suppression): Suppression {
      put.run({ ...suppression });
      return { ...select.get(suppression.phone) } as unknown as Suppression;
    },
    deleteSuppression: (id: string): boolean => deleteOne.run(id).changes > 0,
    liftOptOut: (phone: string): boolean => lift.run(phone).changes > 0,
  };
}
