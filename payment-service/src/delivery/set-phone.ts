import type { Customer, Store } from '../store/store.ts';

const releasedAtATime = 1000;

/**
 * Stores the customer's phone, and has the notifications become due that waited for it: the outbox takes them at its rate. What a
 * crash leaves is found when it is looked at again, after the longest wait. Returns whether the customer had no phone before.
 *
 * @throws StoreUnavailable
 */
export async function setPhone(
  store: Pick<Store, 'putPhone' | 'releaseHeld'>,
  customer: Customer,
  phone: string,
): Promise<boolean> {
  const isNew = await store.putPhone(customer, phone);
  while ((await store.releaseHeld(customer, releasedAtATime)) === releasedAtATime);
  return isNew;
}
