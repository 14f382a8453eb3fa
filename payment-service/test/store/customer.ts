import type { Customer } from '../../src/store/store.ts';

/** A customer where clients are not isolated, or a payment was made without a key. */
export const customer = (customer_id: string, client: string | null = null): Customer => ({
  client,
  customer_id,
});
