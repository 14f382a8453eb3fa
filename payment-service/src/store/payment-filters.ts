import type { Payment } from '../domain/payment.ts';
import type { PaymentFilters } from './store.ts';

/** What a list is about that never changes in a payment. Its times are text, RFC 3339 in UTC with milliseconds. */
export type Lasting = Pick<Payment, 'client' | 'customer_id' | 'reference' | 'created_at'>;

/** Whether the payment stays in the list whatever becomes of its notification, so that it can be a cursor. */
export const isOfList = (
  { client, customer_id, reference, created_at }: Lasting,
  filters: PaymentFilters,
): boolean =>
  (filters.client ?? client) === client &&
  (filters.customer_id ?? customer_id) === customer_id &&
  (filters.reference ?? reference) === reference &&
  (filters.created_after ?? created_at) <= created_at &&
  (filters.created_before === undefined || created_at < filters.created_before);
