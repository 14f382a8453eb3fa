import type { Payment } from '../payment.ts';

/** The store can not be read or written now. Nothing of the operation has happened. */
export class StoreUnavailable extends Error {}

export interface PaymentQuery {
  limit: number;
  /** The id of the payment after which the page starts. */
  starting_after: string | undefined;
  customer_id: string | undefined;
  notification_status: Payment['notification_status'] | undefined;
}

export interface PaymentPage {
  payments: Payment[];
  has_more: boolean;
}

/**
 * Keeps payments. Every write is durable when its promise resolves: it survives a crash of the process and of the
 * machine. All of it throws StoreUnavailable.
 */
export interface Store {
  insert(payment: Payment): Promise<void>;
  /** Brings notification and attempts of a payment up to what they are now. */
  update(payment: Payment): Promise<void>;
  find(paymentId: string): Promise<Payment | undefined>;
  /** Newest first; undefined if there is no payment `starting_after`. */
  list(query: PaymentQuery): Promise<PaymentPage | undefined>;
  /** Resolves if the store takes a durable write. */
  check(): Promise<void>;
  close(): Promise<void>;
}
