import { keyColumns } from '../columns.ts';
import { type KeyRow, recordOf } from '../key-row.ts';
import type { StoredAnswer } from '../store.ts';
import type { Query } from './query.ts';

/** The statements about idempotency keys. */
export const keyStatements = (query: Query) => ({
  findKeys: async (keys: string[]) =>
    (
      await query<KeyRow>(
        'find_keys',
        `SELECT ${Object.keys(keyColumns).join(', ')} FROM idempotency_keys WHERE key = ANY ($1)`,
        [keys],
      )
    ).map(recordOf),

  /** Returns the stored answer; undefined if there is no key. */
  async storeAnswer(paymentId: string, { status, body }: StoredAnswer): Promise<StoredAnswer | undefined> {
    const [stored] = await query<StoredAnswer>(
      'store_answer',
      `UPDATE idempotency_keys
       SET answer_status = coalesce(answer_status, $2),
         answer_body = CASE WHEN answer_status IS NULL THEN $3 ELSE answer_body END -- one without a body is erased
       WHERE payment_id = $1
       RETURNING answer_status AS status, coalesce(answer_body, $3) AS body`,
      [paymentId, status, body],
    );
    return stored;
  },

  async deleteKeys(before: Date, limit: number): Promise<number> {
    const deleted = await query(
      'delete_keys',
      `DELETE FROM idempotency_keys
       WHERE key = ANY (ARRAY (
         SELECT key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
       ))
       RETURNING 1`,
      [before, limit],
    );
    return deleted.length;
  },
});
