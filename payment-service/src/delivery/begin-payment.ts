import type { Payment, PaymentRequest } from '../domain/payment.ts';
import type { StoredAnswer } from '../store/store.ts';
import type { Bounds } from './bounds.ts';
import type { Delivery } from './delivery.ts';

/** The response to a payment that was created, or to the first request with its Idempotency-Key. */
export interface Created {
  payment_id: string;
  answer: StoredAnswer;
  replayed: boolean;
}

type KeyedRequest = [request: PaymentRequest, idempotencyKey: string | undefined];

/** A new payment with its first attempt, or as it waits; or the answer to the first request with its key. */
type Begun = { begun: Payment } | { replay: Created };

interface BeginOptions {
  delivery: Pick<Delivery, 'begin'>;
  bounds: Bounds | undefined;
  findCreated: (request: PaymentRequest, idempotencyKey: string) => Promise<Created | undefined>;
}

/** Begins a new payment within the bounds. Without one that applies the store is not asked. */
export function createBegin({ delivery, bounds, findCreated }: BeginOptions) {
  async function beginBounded(
    { count, admit }: Bounds,
    begun: Payment,
    created: Payment,
    ...[request, key]: KeyedRequest
  ): Promise<Begun> {
    // A repeated request sends nothing, so that it must count no SMS.
    const known = key !== undefined && count(begun) ? await findCreated(request, key) : undefined;
    if (known) return { replay: known };
    return { begun: await admit(begun, created) };
  }

  return {
    begin(created: Payment, ...request: KeyedRequest): Begun | Promise<Begun> {
      const begun = delivery.begin(created);
      return bounds?.applyTo(begun) ? beginBounded(bounds, begun, created, ...request) : { begun };
    },

    /**
     * The phone of the inserted payment: a phone that was stored for the customer meanwhile is within no bound yet, so that the
     * attempt is made without it.
     */
    phoneOf: (begun: Payment, inserted: string | null): string | null =>
      bounds?.applyTo(begun) ? begun.phone : inserted,
  };
}
