import type { Query } from './query.ts';

/** The statements about customers. */
export const customerStatements = (query: Query) => ({
  findCustomers: (customerIds: string[]) =>
    query<{ customer_id: string; phone: string }>(
      'find_customers',
      'SELECT customer_id, phone FROM customers WHERE customer_id = ANY ($1)',
      [customerIds],
    ),

  putPhone: (customerId: string, phone: string) =>
    query(
      'put_phone',
      `INSERT INTO customers (customer_id, phone) VALUES ($1, $2)
       ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone`,
      [customerId, phone],
    ),

  deletePhone: async (customerId: string) =>
    (await query('delete_phone', 'DELETE FROM customers WHERE customer_id = $1 RETURNING 1', [customerId]))
      .length > 0,
});
