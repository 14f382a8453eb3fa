import type { Problem } from 'service-kit/http/problem.ts';
import { CommitUnknown, StoreUnavailable, UnreadablePayment } from '../store/store.ts';
import { ErasureInterrupted } from './erase-customer.ts';
import { paymentProblem } from './problems.ts';
import { RetryInterrupted } from './retry-notifications.ts';

/** The problem of an unavailable store or of a payment that cannot be read; undefined for other errors. */
export function toStoreProblem(error: Error): Problem | undefined {
  if (error instanceof UnreadablePayment) return paymentProblem('payment-unreadable');
  if (error instanceof ErasureInterrupted) return paymentProblem('erasure-interrupted');
  if (error instanceof RetryInterrupted) return paymentProblem('retry-interrupted');
  if (error instanceof CommitUnknown)
    return paymentProblem('store-unavailable', {
      detail:
        'The connection to the store was lost during the commit, so this request may have been recorded. Retry soon with the same Idempotency-Key.',
    });
  return error instanceof StoreUnavailable ? paymentProblem('store-unavailable') : undefined;
}
