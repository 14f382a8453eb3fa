import type { Payment } from '../domain/payment.ts';
import type { PaymentFilters, Store } from '../store/store.ts';

/** So many that a page is read while no other request waits for long. */
const limit = 200;

/** The whole list, newest first, page by page. It ends once the signal is aborted. */
export async function* pagesOf(
  store: Pick<Store, 'list'>,
  filters: PaymentFilters,
  signal?: AbortSignal,
): AsyncGenerator<Payment[], undefined> {
  for (let starting_after: string | undefined; ; ) {
    const page = await store.list({ ...filters, limit, starting_after }, signal);
    if (signal?.aborted) return;
    if (!page) throw new Error('a payment has left its list');
    yield page.payments;
    if (!page.has_more) return;
    starting_after = page.payments.at(-1)?.payment_id;
  }
}
