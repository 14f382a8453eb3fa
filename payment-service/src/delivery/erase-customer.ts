import type { FastifyBaseLogger } from 'fastify';
import type { StoredAction } from '../domain/actions.ts';
import { cancel, newAction } from '../domain/operator-actions.ts';
import { isOpen, type PaymentObserver } from '../domain/payment.ts';
import { writeNow } from '../domain/time.ts';
import { type Customer, LeaseLost, type Store, StoreUnavailable, UnreadablePayment } from '../store/store.ts';
import { logAction } from './log-action.ts';

/** The store became unavailable: a part of the erasure may be done. */
export class ErasureInterrupted extends StoreUnavailable {
  constructor(cause: StoreUnavailable) {
    super('the erasure was interrupted', { cause });
  }
}

/** What an erasure has done, counted in this call. */
export interface Erasure {
  customer_id: string;
  erased_at: string;
  payments_erased: number;
  payments_cancelled: number;
  /** Payments that a worker had leased, or whose record cannot be read: they are as they were. */
  payments_in_progress: number;
  events_deleted: number;
  answers_erased: number;
  phone_erased: boolean;
  /** The customer's phone, or that of a payment, gets no SMS, and stays stored for it. */
  suppression_kept: boolean;
}

/**
 * Erases what is stored of a customer: the phone first, so that no new payment gets it, then its payments from the oldest on, of
 * which open ones are cancelled. Each step is a commit of its own, so that other payments are recorded in between, and what an
 * interrupted call has left is done by the next one. `by` is the name of the admin's key.
 *
 * @throws ErasureInterrupted
 */
export type EraseCustomer = (
  customer: Customer,
  by: string | null,
  log: FastifyBaseLogger,
) => Promise<Erasure>;

/** A step of a hundred takes a few milliseconds, for which other writes wait. */
const atATime = 100;

export interface ErasureOptions {
  store: Store;
  onChange: PaymentObserver;
}

/** What is recorded and logged of each cancellation. */
interface Cancelling {
  action: StoredAction;
  log: FastifyBaseLogger;
}

export function createErasure({ store, onChange }: ErasureOptions): EraseCustomer {
  /** Returns false if the payment cannot be read, is not open any more, or is leased to a worker. */
  async function cancelErased(paymentId: string, { action, log }: Cancelling): Promise<boolean> {
    try {
      const before = await store.find(paymentId);
      if (!before || !isOpen(before)) return false;
      // Without the metadata, so that the event of the cancellation has none.
      const cancelled = { ...cancel(before, 'erased', action), metadata: null };
      await store.amend(cancelled, before);
      onChange(cancelled, before);
      logAction(log, cancelled, action);
      return true;
    } catch (error) {
      if (error instanceof LeaseLost || error instanceof UnreadablePayment) return false;
      throw error;
    }
  }

  async function eraseAll(customer: Customer, erasure: Erasure, cancelling: Cancelling): Promise<void> {
    const phone = await store.findPhone(customer);
    if (phone !== undefined && (await store.findSuppression({ phone }))) erasure.suppression_kept = true;
    erasure.phone_erased = await store.deletePhone(customer);
    let after: string | undefined;
    do {
      after = await eraseSome(customer, after, erasure, cancelling);
    } while (after !== undefined);
  }

  /** Returns the payment after which the next ones come. */
  async function eraseSome(
    customer: Customer,
    after: string | undefined,
    erasure: Erasure,
    cancelling: Cancelling,
  ): Promise<string | undefined> {
    const eraseNext = async () => {
      const step = await store.eraseNext(customer, after, atATime);
      erasure.payments_erased += step.erased;
      erasure.answers_erased += step.answers;
      erasure.events_deleted += step.events;
      erasure.suppression_kept ||= step.suppressed;
      return step;
    };
    const found = await eraseNext();
    const cancelled = await Promise.all(found.open.map((paymentId) => cancelErased(paymentId, cancelling)));
    erasure.payments_cancelled += cancelled.filter((isCancelled) => isCancelled).length;
    const { open, leased, last } = found.open.length > 0 ? await eraseNext() : found;
    erasure.payments_in_progress += open.length + leased;
    return last ?? undefined;
  }

  return async (customer, by, log) => {
    const erasure: Erasure = {
      ...{ customer_id: customer.customer_id, erased_at: writeNow() },
      ...{ payments_erased: 0, payments_cancelled: 0, payments_in_progress: 0 },
      ...{ events_deleted: 0, answers_erased: 0, phone_erased: false, suppression_kept: false },
    };
    try {
      const action = newAction({ action: 'erase', by, reason: null });
      await eraseAll(customer, erasure, { action, log });
    } catch (error) {
      throw error instanceof StoreUnavailable ? new ErasureInterrupted(error) : error;
    }
    return erasure;
  };
}
