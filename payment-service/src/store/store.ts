import type { Payment } from '../domain/payment.ts';

/** The store can not be read or written now. Nothing of the operation has happened, unless it is a CommitUnknown. */
export class StoreUnavailable extends Error {}

/** The connection was lost in the middle: nothing has happened, or all of it has and was committed. */
export class CommitUnknown extends StoreUnavailable {}

/** Somebody else has taken the notification on since this payment was read: its fence has grown. Nothing was written. */
export class LeaseLost extends Error {}

/** The first answer to a request with an Idempotency-Key. */
export interface KeptAnswer {
  status: number;
  body: string;
}

export interface IdempotencyRecord {
  key: string;
  /** What tells one request from another: a hash of its content. */
  fingerprint: string;
  payment_id: string;
  /** null until the first answer is known. */
  answer: KeptAnswer | null;
}

/** What became of a new payment: it is kept, with this phone; or this is the record of its key, which was known. */
export type Inserted = { phone: string | null; known?: undefined } | { known: IdempotencyRecord };

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

/** The payments whose notification is pending, those that are handled at this moment among them. */
export interface Backlog {
  size: number;
  /** When the oldest of them was made; null if there is none. */
  oldest_at: string | null;
}

/**
 * Keeps payments, and says whose notification is due. Every write is durable when its promise resolves: it survives a
 * crash of the process and of the machine. All of it throws StoreUnavailable, and what writes CommitUnknown.
 *
 * While an attempt runs, its payment is leased to whoever runs it: nobody else claims it until the lease has run out.
 */
export interface Store {
  /** Keeps a new payment, with its customer's phone if it has none, unless there already is one with the record's key. */
  insert(payment: Payment, record?: IdempotencyRecord): Promise<Inserted>;
  /**
   * Brings a payment's notification up to what it is now, and with it the answer that is kept for its key, if it has one.
   * An attempt that it has in common with `before`, which is kept already, need not be written again.
   *
   * @throws LeaseLost
   */
  update(payment: Payment, answer?: KeptAnswer, before?: Payment): Promise<void>;
  /** Keeps the answer for the payment's key unless there is one, and returns the one that is kept. */
  keepAnswer(paymentId: string, answer: KeptAnswer): Promise<KeptAnswer>;
  find(paymentId: string): Promise<Payment | undefined>;
  /** Newest first; undefined if there is no payment `starting_after`. */
  list(query: PaymentQuery): Promise<PaymentPage | undefined>;
  backlog(): Promise<Backlog>;
  putPhone(customerId: string, phone: string): Promise<void>;
  findPhone(customerId: string): Promise<string | undefined>;
  /** Says whether there was one. */
  forgetPhone(customerId: string): Promise<boolean>;
  /** Leases to the caller the notifications that are due the longest, in any order. */
  claimDue(limit: number): Promise<Payment[]>;
  /**
   * Leases to the caller a notification that nobody works on, because it has ended, is held or waits for its next turn.
   *
   * @throws LeaseLost if somebody does by now
   */
  claim(payment: Payment): Promise<Payment>;
  /** Forgets up to `limit` keys that are older than this time (ms since the epoch); says how many it forgot. */
  forgetKeys(before: number, limit: number): Promise<number>;
  /**
   * Forgets text and phone of up to `limit` payments that were made before this time (ms since the epoch) and whose
   * notification has ended; says of how many. Their message is null from then on. Once fewer than `limit` were left, what
   * the store still has of them on disk goes within a minute or two, as far as a database lets go of it.
   */
  blank(before: number, limit: number): Promise<number>;
  /** Resolves if the store takes a durable write. */
  check(): Promise<void>;
  close(): Promise<void>;
}
