import { type OwnerOf, ownerOfRow } from '../owner.ts';
import type { Customer } from '../store.ts';
import type { Query } from './query.ts';

/** The statements about customers. */
export const customerStatements = (query: Query, ownerOf: OwnerOf) => ({
  /** What `findCustomers` finds a customer by. The name of a client has no line break. */
  keyOf: ({ client, customer_id }: Customer) => `${ownerOf(client)}\n${customer_id}`,

  findCustomers: (keys: string[]) =>
    query<{ key: string; phone: string }>(
      'find_customers',
      `SELECT client || E'\\n' || customer_id AS key, phone
       FROM customers JOIN unnest($1::text[], $2::text[]) AS given (owner, id)
         ON client = given.owner AND customer_id = given.id AND customer_id = ANY ($2)`,
      [
        keys.map((key) => key.slice(0, key.indexOf('\n'))),
        keys.map((key) => key.slice(key.indexOf('\n') + 1)),
      ],
    ),

  /** Returns whether the row is new: PostgreSQL sets `xmax` of a row that the conflict has locked. */
  putPhone: async ({ client, customer_id }: Customer, phone: string) => {
    const [row] = await query<{ is_new: boolean }>(
      'put_phone',
      `INSERT INTO customers (client, customer_id, phone) VALUES ($1, $2, $3)
       ON CONFLICT (customer_id, client) DO UPDATE SET phone = excluded.phone
       RETURNING xmax = 0 AS is_new`,
      [ownerOf(client), customer_id, phone],
    );
    return row?.is_new === true;
  },

  /** The fencing token is raised, so that a worker which found no phone does not hold it again. */
  releaseHeld: async ({ client, customer_id }: Customer, limit: number) =>
    (
      await query(
        'release_held',
        `UPDATE payments SET due_at = released.at, next_attempt_at = released.at, fence = fence + 1
         FROM (SELECT date_trunc('milliseconds', now()) AS at) AS released
         WHERE payment_id = ANY (ARRAY (
           SELECT payment_id FROM payments
           WHERE notification_status = 'held' AND customer_id = $1 AND reason = 'phone_unknown' AND due_at > now()
             AND ${ownerOfRow(ownerOf)} = $3::text
           ORDER BY payment_id LIMIT $2 FOR UPDATE
         ))
         RETURNING 1`,
        [customer_id, limit, ownerOf(client)],
      )
    ).length,

  /** Where clients are not isolated, also what was stored while they were. */
  deletePhone: async ({ client, customer_id }: Customer) =>
    (
      await query(
        'delete_phone',
        `DELETE FROM customers WHERE customer_id = $2 AND ${ownerOfRow(ownerOf)} = $1::text RETURNING 1`,
        [ownerOf(client), customer_id],
      )
    ).length > 0,
});
