import type { IdempotencyRecord } from './store.ts';

/** A row of idempotency_keys, the same in both databases. */
export interface KeyRow {
  key: string;
  fingerprint: string;
  payment_id: string;
  answer_status: number | null;
  answer_body: string | null;
}

export function recordOf({
  key,
  fingerprint,
  payment_id,
  answer_status,
  answer_body,
}: KeyRow): IdempotencyRecord {
  const answer =
    answer_status === null || answer_body === null ? null : { status: answer_status, body: answer_body };
  return { key, fingerprint, payment_id, answer };
}
