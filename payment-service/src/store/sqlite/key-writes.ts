import type { DatabaseSync } from 'node:sqlite';
import { type KeyRow, recordOf } from '../key-row.ts';
import type { IdempotencyRecord, StoredAnswer } from '../store.ts';

/** Of a connection that reads or writes. */
export function prepareKeyLookup(db: DatabaseSync): (key: string) => IdempotencyRecord | undefined {
  const select = db.prepare('SELECT * FROM idempotency_keys WHERE key = ?');
  return (key) => {
    const row = select.get(key) as KeyRow | undefined;
    return row && recordOf(row);
  };
}

/** The statements about idempotency keys. Times are ms since the epoch. */
export function prepareKeyWrites(db: DatabaseSync) {
  const insert = db.prepare(`
    INSERT INTO idempotency_keys (key, fingerprint, payment_id, answer_status, answer_body, created_at)
    VALUES (?, ?, ?, ?, ?, ?)`);
  const setAnswer = db.prepare(`
    UPDATE idempotency_keys SET answer_status = :status, answer_body = :body
    WHERE payment_id = :payment_id AND answer_status IS NULL`);
  const storeFirstAnswer = db.prepare(`
    UPDATE idempotency_keys
    SET answer_status = coalesce(answer_status, :status),
      answer_body = iif(answer_status IS NULL, :body, answer_body) -- one without a body is erased
    WHERE payment_id = :payment_id
    RETURNING *`);
  const deleteOld = db.prepare(`
    DELETE FROM idempotency_keys
    WHERE key IN (SELECT key FROM idempotency_keys WHERE created_at < :before ORDER BY created_at LIMIT :limit)`);

  return {
    find: prepareKeyLookup(db),

    insert({ key, fingerprint, payment_id, answer }: IdempotencyRecord, created_at: number): void {
      insert.run(key, fingerprint, payment_id, answer?.status ?? null, answer?.body ?? null, created_at);
    },

    setAnswer(payment_id: string, { status, body }: StoredAnswer): void {
      setAnswer.run({ payment_id, status, body });
    },

    /** Stores the answer unless one is stored; returns the stored one. */
    storeAnswer(payment_id: string, { status, body }: StoredAnswer): StoredAnswer {
      const row = storeFirstAnswer.get({ payment_id, status, body }) as KeyRow | undefined;
      return { status: row?.answer_status ?? status, body: row?.answer_body ?? body };
    },

    deleteOld: (before: number, limit: number): number => Number(deleteOld.run({ before, limit }).changes),
  };
}
