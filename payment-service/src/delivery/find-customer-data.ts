import type { Payment } from '../domain/payment.ts';
import type { Suppression } from '../domain/suppression.ts';
import type { Customer, Store } from '../store/store.ts';

/** A page of what is stored of a customer. */
interface CustomerData {
  phone: string | null;
  suppressions: Suppression[];
  /** Newest first. */
  payments: Payment[];
  has_more: boolean;
}

type ReadStore = Pick<Store, 'find' | 'findPhone' | 'findSuppression' | 'listIds'>;

/**
 * Returns undefined if there is no payment `startingAfter` of the customer.
 *
 * @throws UnreadablePayment, because data without that payment would look complete
 * @throws StoreUnavailable
 */
export async function findCustomerData(
  store: ReadStore,
  customer: Customer,
  startingAfter: string | undefined,
  limit: number,
): Promise<CustomerData | undefined> {
  if (startingAfter !== undefined) {
    const start = await store.find(startingAfter);
    if (start?.customer_id !== customer.customer_id) return undefined;
  }
  const ids = await store.listIds(customer, startingAfter, limit + 1);
  const found = await Promise.all(ids.slice(0, limit).map((id) => store.find(id)));
  const payments = found.filter((payment) => payment !== undefined);
  const phone = (await store.findPhone(customer)) ?? null;
  const phones = new Set(
    [phone, ...payments.map((payment) => payment.phone)].filter((each) => each !== null),
  );
  const suppressions = await Promise.all([...phones].map((each) => store.findSuppression({ phone: each })));
  return {
    phone,
    suppressions: suppressions.filter((suppression) => suppression !== undefined),
    payments,
    has_more: ids.length > limit,
  };
}
