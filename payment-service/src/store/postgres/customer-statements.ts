import type { Query } from './query.ts';

/** The statements about customers. */
export const customerStatements = (query: Query) => ({
  findCustomers: (customerIds: string[]) =>
    query<{ customer_id: string; phone: string }>(
      'find_customers',
      'SELECT customer_id, phone FROM customers WHERE customer_id = ANY ($1)',
      [customerIds],
    ),

  /** Returns whether the row is new: PostgreSQL sets `xmax` of a row that the conflict has locked. */
  putPhone: async (customerId: string, phone: string) => {
    const [row] = await query<{ is_new: boolean }>(
      'put_phone',
      `INSERT INTO customers (customer_id, phone) VALUES ($1, $2)
       ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone
       RETURNING xmax = 0 AS is_new`,
      [customerId, phone],
    );
    return row?.is_new === true;
  },

  /** The fencing token is raised, so that a worker which found no phone does not hold it again. */
  releaseHeld: async (customerId: string, limit: number) =>
    (
      await query(
        'release_held',
        `UPDATE payments SET due_at = released.at, next_attempt_at = released.at, fence = fence + 1
         FROM (SELECT date_trunc('milliseconds', now()) AS at) AS released
         WHERE payment_id = ANY (ARRAY (
           SELECT payment_id FROM payments
           WHERE notification_status = 'held' AND customer_id = $1 AND reason = 'phone_unknown' AND due_at > now()
           ORDER BY payment_id LIMIT $2 FOR UPDATE
         ))
         RETURNING 1`,
        [customerId, limit],
      )
    ).length,

  deletePhone: async (customerId: string) =>
    (await query('delete_phone', 'DELETE FROM customers WHERE customer_id = $1 RETURNING 1', [customerId]))
      .length > 0,
});
