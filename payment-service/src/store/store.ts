import type { Provider } from 'service-kit/contract/notification.ts';
import { isDefect } from 'service-kit/telemetry/outage.ts';
import type { Payment } from '../domain/payment.ts';
import type { ControlStore } from './controls.ts';
import type { ErasedStep } from './erasure.ts';
import type { EventStore } from './events.ts';
import type { HistoryStore } from './history.ts';
import type { StatisticsStore } from './statistics.ts';
import type { SuppressionStore } from './suppressions.ts';

/** The store cannot be read or written now. The operation had no effect, unless this is a CommitUnknown. */
export class StoreUnavailable extends Error {
  /** Unless its cause is a defect, such as a statement that the database refuses. */
  get isOutage(): boolean {
    const { cause } = this;
    return cause instanceof Error && 'isOutage' in cause ? cause.isOutage === true : !isDefect(cause);
  }
}

/** The connection was lost during a commit: the operation had no effect, or its whole effect is committed. */
export class CommitUnknown extends StoreUnavailable {}

/** Another worker has claimed the notification since this payment was read: the fencing token has grown. Nothing was written. */
export class LeaseLost extends Error {}

/** The phone of this payment is suppressed: the attempt that was begun must not be made. Nothing was written. */
export class RecipientSuppressed extends Error {
  readonly payment: Payment;

  constructor(payment: Payment) {
    super(payment.payment_id);
    this.payment = payment;
  }
}

/** The record of this payment cannot be read: another program has changed it, or damaged it. It takes a person to repair it. */
export class UnreadablePayment extends Error {
  constructor() {
    super('the record of a payment cannot be read');
  }
}

/** Called with the id of a payment each time that its record cannot be read. It must not throw. */
export type UnreadableObserver = (paymentId: string) => void;

/**
 * Called after each commit with what is wrong with the files of the database, or undefined. Nothing is committed to files that
 * are not at their paths. It must not throw.
 */
export type FaultObserver = (fault: string | undefined) => void;

/** The first response to a request with an Idempotency-Key. */
export interface StoredAnswer {
  status: number;
  body: string;
}

export interface IdempotencyRecord {
  key: string;
  /** A hash of the request, so that a key which comes with another request is refused. */
  fingerprint: string;
  payment_id: string;
  /** null until the first response is known, and once it is erased. */
  answer: StoredAnswer | null;
}

/**
 * The result of an insert: the payment was inserted with this phone, `suppressed` if the phone gets no SMS, or the key was known and
 * this is its record.
 */
export type Inserted =
  | { phone: string | null; suppressed?: true; known?: undefined }
  | { known: IdempotencyRecord };

/** A payment that is leased to the caller. */
export interface Claimed extends Payment {
  /** Its phone gets no SMS. */
  suppressed?: true;
}

/** Whose phone it is: of a customer of this client where clients are isolated. A payment is one. */
export type Customer = Pick<Payment, 'customer_id' | 'client'>;

/** A payment is in a list if it matches each filter that is given. */
export interface PaymentFilters {
  client?: string | undefined;
  customer_id?: string | undefined;
  reference?: string | undefined;
  /** Any of these. */
  notification_status?: readonly Payment['notification_status'][] | undefined;
  notification_service?: Provider | undefined;
  reason?: string | undefined;
  possible_duplicate?: boolean | undefined;
  /** Created at this time or later, as `created_at` is written. */
  created_after?: string | undefined;
  /** Created before this time, as `created_at` is written. */
  created_before?: string | undefined;
}

/** A page of a list. At most one of the cursors is given. */
export interface PaymentQuery extends PaymentFilters {
  limit: number;
  /** The id of the payment after which the page starts. */
  starting_after?: string | undefined;
  /** The id of the payment before which the page ends. */
  ending_before?: string | undefined;
}

export interface PaymentPage {
  /** Newest first, which is by id. */
  payments: Payment[];
  /** Whether there are more in the direction in which the pages go: newer ones if the page ends before a payment, else older ones. */
  has_more: boolean;
}

/** The payments whose notification is pending, claimed ones included; not those that are held. */
export interface Backlog {
  size: number;
  /** When the oldest of them was created; null if there is none. */
  oldest_at: string | null;
}

/** SMS that are taken from what is left of a day's cap. */
export interface DayTake {
  /** The UTC day, such as 2026-03-01. */
  day: string;
  cap: number;
  /** How many are wanted: fewer are given near the end of the cap, so that others get some of the last. */
  block: number;
  /** How many are needed: fewer are of no use. */
  needed: number;
}

/** SMS to one recipient in an hour. */
export interface RecipientTake {
  /** The UTC hour, such as 2026-03-01T12. */
  hour: string;
  phone: string;
  cap: number;
  segments: number;
}

/**
 * Stores payments, and claims notifications that are due. Every write is durable when its promise resolves: it survives a
 * crash of the process and of the machine. Every method throws StoreUnavailable; those that write throw CommitUnknown, too.
 * Where clients are isolated, each has customers of its own.
 *
 * While an attempt runs, its payment is leased to the worker that runs it: no other worker can claim it until the lease has
 * expired.
 */
export interface Store extends SuppressionStore, EventStore, ControlStore, HistoryStore, StatisticsStore {
  /**
   * Inserts a new payment unless the record's key is known. A payment without a phone gets its customer's. If the phone is
   * suppressed, the notification is inserted as one that failed for it without an attempt, and the key without an answer.
   */
  insert(payment: Payment, record?: IdempotencyRecord): Promise<Inserted>;
  /**
   * Updates a payment's notification, and stores the answer for its key, if it has one and no answer yet. An attempt that is
   * the same object in `before`, which is what was stored last, need not be written again. An opt-out that has become known
   * since is stored as a suppression. Its events are those of the change since `before`; without it, those of a new payment.
   *
   * @throws LeaseLost
   * @throws RecipientSuppressed if an attempt was begun and the phone is suppressed
   */
  update(payment: Payment, answer?: StoredAnswer, before?: Payment): Promise<void>;
  /**
   * Updates a payment that no worker has leased, and raises its fencing token, so that writers which hold `before` are rejected.
   *
   * @throws LeaseLost if it has changed since `before` was read, or is leased
   */
  amend(payment: Payment, before: Payment): Promise<void>;
  /**
   * Stores the answer for the payment's key unless one is stored, and returns the stored one. An erased one stays erased: what is
   * returned is the given one with the status of the first.
   */
  storeAnswer(paymentId: string, answer: StoredAnswer): Promise<StoredAnswer>;
  findKey(key: string): Promise<IdempotencyRecord | undefined>;
  /** @throws UnreadablePayment */
  find(paymentId: string): Promise<Payment | undefined>;
  /**
   * Leaves out payments that cannot be read. Undefined if the cursor is no payment of this list by what never changes: its client,
   * customer, reference and time. Once the signal is aborted, it reads on no longer, and the page may be incomplete.
   */
  list(query: PaymentQuery, signal?: AbortSignal): Promise<PaymentPage | undefined>;
  backlog(): Promise<Backlog>;
  /** Returns whether the customer had no phone before. */
  putPhone(customer: Customer, phone: string): Promise<boolean>;
  findPhone(customer: Customer): Promise<string | undefined>;
  /**
   * Has up to `limit` of the customer's notifications become due now that are held because no phone was known, also those that a
   * worker looks at; returns how many.
   */
  releaseHeld(customer: Customer, limit: number): Promise<number>;
  /** Returns whether there was one. Where clients are not isolated, what was stored while they were is deleted, too. */
  deletePhone(customer: Customer): Promise<boolean>;
  /**
   * Leases to the caller the notifications that have been due the longest, in any order. Those whose payment cannot be read
   * are left to their lease, so that the others have their turn.
   */
  claimDue(limit: number): Promise<Claimed[]>;
  /**
   * Has up to `limit` notifications become due within `longestWaitMs` and a lease that are due later than in `longestWaitMs`, or
   * leased for longer than a lease; returns how many. They were written by a clock that was ahead. Held ones stay due at their
   * expiry. So do up to `limit` deliveries of events that are due later than in `longestWebhookWaitMs` become due now; they are not
   * counted.
   */
  bringForward(longestWaitMs: number, limit: number): Promise<number>;
  /**
   * Leases to the caller the payments whose provider has been due the longest to be asked what became of the SMS, in any order.
   * It raises no fencing token: a write by `amend` finds whether the payment has changed.
   */
  claimAsks(limit: number): Promise<Payment[]>;
  /**
   * Leases to the caller a notification that has ended, is held or waits for its next attempt.
   *
   * @throws LeaseLost if it has changed since it was read, another worker has claimed it, or an attempt of it runs
   * @throws UnreadablePayment
   */
  claim(payment: Payment): Promise<Claimed>;
  /**
   * Leases to the caller a notification that another worker may have leased: that one is rejected when it records what comes next. An
   * attempt of it may run, also at a provider.
   *
   * @throws LeaseLost if another worker has claimed it since it was read
   * @throws UnreadablePayment
   */
  seize(payment: Payment): Promise<Claimed>;
  /** Deletes up to `limit` keys that were stored before this time (ms since the epoch); returns how many. */
  deleteKeys(before: number, limit: number): Promise<number>;
  /**
   * Redacts text and phone of up to `limit` payments that were created before this time (ms since the epoch) and whose
   * notification has ended; returns how many. Their message is null from then on. Once fewer than `limit` were redacted, the
   * copies that the database still has on disk are overwritten within a minute or two, as far as the database allows.
   */
  redact(before: number, limit: number): Promise<number>;
  /**
   * A step of the erasure of a customer: looks at up to `limit` of its payments, in the order of their ids from `after` on. Those
   * that have ended, and are leased to no worker, lose text, phones and metadata; their events are deleted, and their stored
   * answers lose the body, so that none is stored again. What is still to be delivered, and that a payment was cancelled, loses
   * its metadata alone. After the last step no copy is left on disk either, as far as the database allows.
   */
  eraseNext(customer: Customer, after: string | undefined, limit: number): Promise<ErasedStep>;
  /** The ids of up to `limit` payments of the customer, newest first, from `before` on. */
  listIds(customer: Customer, before: string | undefined, limit: number): Promise<string[]>;
  /** Takes SMS of a day, and returns how many; 0 if fewer are left than needed. Those that were taken are never given back. */
  takeOfDay(take: DayTake): Promise<number>;
  /** Counts SMS to a recipient. False, and none is counted, if they would be more than the cap in this hour. */
  takeOfRecipient(take: RecipientTake): Promise<boolean>;
  /**
   * Deletes the counts of days and of up to `limit` recipients and hours that are older than these; returns how many of the
   * latter.
   */
  deleteCounts(before: { day: string; hour: string }, limit: number): Promise<number>;
  /** How many notifications are held, by reason. */
  countHeld(): Promise<Record<string, number>>;
  /** Resolves if the store takes a durable write. */
  check(): Promise<void>;
  close(): Promise<void>;
}
