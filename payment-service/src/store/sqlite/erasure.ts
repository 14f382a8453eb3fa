import type { DatabaseSync } from 'node:sqlite';
import { isOpen, notificationStatusSchema, type Payment } from '../../domain/payment.ts';
import type { ErasedStep } from '../erasure.ts';
import type { CustomersPayments } from '../owner.ts';

/** A customer's payments are read status by status, since the index is by status and customer. */
const selectPayments = (place: string, order: 'ASC' | 'DESC') =>
  `${notificationStatusSchema.options
    .map(
      (status) => `
    SELECT payment_id, notification_status, due_at FROM payments
    WHERE customer_id = :customer_id AND notification_status = '${status}' AND ${place}
      AND (:of_any_client OR client IS :client)`,
    )
    .join(' UNION ALL ')} ORDER BY payment_id ${order} LIMIT :limit`;

/** The values of the parameters: SQLite has no booleans. */
const valuesOf = ({ customer_id, of_any_client, client }: CustomersPayments) => ({
  customer_id,
  of_any_client: Number(of_any_client),
  client,
});

/** After the id of every payment. */
const end = '\u{10FFFF}';

export function prepareErasureReads(db: DatabaseSync) {
  const newest = db.prepare(selectPayments('payment_id < :before', 'DESC'));
  return {
    listIds: (payments: CustomersPayments, before: string | undefined, limit: number): string[] =>
      (newest.all({ ...valuesOf(payments), before: before ?? end, limit }) as unknown as Row[]).map(idOf),
  };
}

type Row = Pick<Payment, 'payment_id' | 'notification_status'> & { due_at: number | null };

const idOf = ({ payment_id }: Row) => payment_id;

/** The step of an erasure. What is given is a JSON array of ids. */
export function prepareErasureWrites(db: DatabaseSync) {
  const given = 'payment_id IN (SELECT value FROM json_each(:ids))';
  const next = db.prepare(selectPayments('payment_id > :after', 'ASC'));
  const suppressed = db.prepare(`
    SELECT EXISTS (
      SELECT 1 FROM suppressions WHERE phone IN (SELECT phone FROM payments WHERE ${given})
    ) AS suppressed`);
  // Attempts that are no JSON may contain a phone as well.
  const erasePayments = db.prepare(`
    UPDATE payments SET message = '', phone = NULL, metadata = NULL, fence = fence + 1, attempts = iif(
      json_valid(attempts),
      (SELECT json_group_array(json_remove(value, '$.phone_last4')) FROM json_each(payments.attempts) WHERE type = 'object'),
      '[]'
    ), actions = iif(
      json_valid(actions),
      (SELECT json_group_array(json_set(value, '$.reason', NULL)) FROM json_each(payments.actions) WHERE type = 'object'),
      NULL
    )
    WHERE ${given} AND (message <> '' OR phone IS NOT NULL OR metadata IS NOT NULL OR EXISTS (
      SELECT 1 FROM json_each(iif(json_valid(payments.actions), payments.actions, '[]'))
      WHERE json_extract(payments.actions, '$[' || key || '].reason') IS NOT NULL
    ))`);
  const countAnswers = db.prepare(
    `SELECT count(*) AS answers FROM idempotency_keys WHERE ${given} AND answer_body IS NOT NULL`,
  );
  // With a status, so that no answer which is under way is stored.
  const eraseAnswers = db.prepare(`
    UPDATE idempotency_keys SET answer_status = coalesce(answer_status, 201), answer_body = NULL
    WHERE ${given} AND (answer_status IS NULL OR answer_body IS NOT NULL)`);
  const deleteEvents = db.prepare(`
    DELETE FROM events
    WHERE ${given} AND delivery_status IS NOT 'pending' AND type <> 'payment.notification.cancelled'`);
  // Two statements, because each has a partial index of its own.
  const eraseMetadata = ["delivery_status = 'pending'", "delivery_status IS NOT 'pending'"].map((part) =>
    db.prepare(`
      UPDATE events SET data = json_set(data, '$.metadata', json('{}'))
      WHERE ${given} AND ${part} AND data ->> '$.metadata' <> '{}'`),
  );

  const changesOf = (statement: typeof next, rows: Row[]) =>
    Number(statement.run({ ids: JSON.stringify(rows.map(idOf)) }).changes);

  return {
    eraseNext(payments: CustomersPayments, after: string, limit: number): ErasedStep {
      const rows = next.all({ ...valuesOf(payments), after, limit }) as unknown as Row[];
      const open = rows.filter(isOpen);
      const ended = rows.filter((row) => !isOpen(row) && row.due_at === null);
      const all = { ids: JSON.stringify(rows.map(idOf)) };
      const step = {
        last: rows.length === limit ? (rows.at(-1)?.payment_id ?? null) : null,
        open: open.map(idOf),
        leased: rows.length - open.length - ended.length,
        suppressed: (suppressed.get(all) as { suppressed: number }).suppressed === 1,
      };
      const { answers } = countAnswers.get({ ids: JSON.stringify(ended.map(idOf)) }) as { answers: number };
      changesOf(eraseAnswers, ended);
      const erased = changesOf(erasePayments, ended);
      const events = changesOf(deleteEvents, ended);
      for (const statement of eraseMetadata) changesOf(statement, ended);
      return { ...step, erased, answers, events };
    },
  };
}
