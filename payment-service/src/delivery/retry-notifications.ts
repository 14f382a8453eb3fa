import type { FastifyBaseLogger } from 'fastify';
import { mayBeRetried, newAction, reopen } from '../domain/operator-actions.ts';
import { change, type Payment, type PaymentObserver } from '../domain/payment.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import { writeNow } from '../domain/time.ts';
import { LeaseLost, type PaymentFilters, type Store, StoreUnavailable } from '../store/store.ts';
import { logAction } from './log-action.ts';
import { pagesOf } from './payment-pages.ts';
import { paymentProblem } from './problems.ts';

/** The store became unavailable: a part of the notifications may be retried. */
export class RetryInterrupted extends StoreUnavailable {
  constructor(cause: StoreUnavailable) {
    super('the retry was interrupted', { cause });
  }
}

interface RetryRequest {
  reason: string;
  /** How many notifications match, as they were counted before. */
  count: number;
  /** The name of the operator's key; null without keys. */
  by: string | null;
}

export interface RetriedMany {
  retried: number;
  /** Those that were counted and have changed since. */
  skipped: number;
}

/** Has the outbox try again, at its rate, what has failed or is held for a cause that may be gone. */
export interface NotificationRetry {
  /** How many match. Once the signal is aborted it counts no more, and the result is of no use. */
  count(filters: PaymentFilters, signal: AbortSignal): Promise<number>;
  /**
   * A thousand are a commit. It ends after those at hand once the signal is aborted.
   *
   * @throws Problem 409 if not as many match as were counted
   * @throws RetryInterrupted
   */
  run(
    filters: PaymentFilters,
    request: RetryRequest,
    log: FastifyBaseLogger,
    signal: AbortSignal,
  ): Promise<RetriedMany>;
}

/** Stored together: the writes of payments wait for as long. */
const atATime = 1000;

interface NotificationRetryOptions {
  store: Pick<Store, 'list' | 'amend'>;
  policy: Pick<RetryPolicy, 'ttlMs'>;
  onChange: PaymentObserver;
}

export function createNotificationRetry(options: NotificationRetryOptions): NotificationRetry {
  const { store, policy, onChange } = options;

  async function count(filters: PaymentFilters, signal: AbortSignal): Promise<number> {
    let matching = 0;
    for await (const page of pagesOf(store, filters, signal)) matching += page.filter(mayBeRetried).length;
    return matching;
  }

  /** Returns false if the payment has changed since it was read, or is leased to a worker. */
  async function retry(payment: Payment, { by, reason }: RetryRequest, log: FastifyBaseLogger) {
    const action = newAction({ action: 'retry', by, reason });
    const due = change(reopen(payment, action, policy.ttlMs), { next_attempt_at: writeNow() });
    try {
      await store.amend(due, payment);
    } catch (error) {
      if (error instanceof LeaseLost) return false;
      throw error;
    }
    onChange(due, payment);
    logAction(log, due, action);
    return true;
  }

  async function retryAll(
    filters: PaymentFilters,
    request: RetryRequest,
    log: FastifyBaseLogger,
    signal: AbortSignal,
  ): Promise<number> {
    let left = request.count;
    const retryThese = (matching: Payment[]) =>
      countTrue(matching.map((payment) => retry(payment, request, log)));
    let retried = 0;
    let matching: Payment[] = [];
    for await (const page of pagesOf(store, filters, signal)) {
      const found = page.filter(mayBeRetried).slice(0, left);
      left -= found.length;
      matching.push(...found);
      if (left === 0) break;
      if (matching.length < atATime) continue;
      retried += await retryThese(matching);
      matching = [];
    }
    return retried + (await retryThese(matching));
  }

  return {
    count,
    async run(filters, request, log, signal) {
      const matching = await count(filters, signal);
      if (!signal.aborted && matching !== request.count)
        throw paymentProblem('count-changed', {
          detail: `${matching} notifications match, and not ${request.count}.`,
          count: matching,
        });
      const retried = await retryAll(filters, request, log, signal).catch((error: unknown) => {
        throw error instanceof StoreUnavailable ? new RetryInterrupted(error) : error;
      });
      const { by, reason } = request;
      log.info({ by, reason, retried, skipped: request.count - retried }, 'notifications retried');
      return { retried, skipped: request.count - retried };
    },
  };
}

/** Waits for all of them, also if one fails: none goes on after the response. */
async function countTrue(works: Promise<boolean>[]): Promise<number> {
  await Promise.allSettled(works);
  const results = await Promise.all(works);
  return results.filter((result) => result).length;
}
