import type { FastifyBaseLogger } from 'fastify';
import type { StoredAction } from '../domain/actions.ts';
import { askedProvider } from '../domain/attempts.ts';
import { addAction, isRejectedPhone, reopen } from '../domain/operator-actions.ts';
import { isOpen, isTaken, type Payment } from '../domain/payment.ts';
import { postpone, type RetryPolicy } from '../domain/retry-policy.ts';
import { suppress } from '../domain/suppression.ts';
import { RecipientSuppressed } from '../store/store.ts';
import type { Bounds } from './bounds.ts';
import type { Notifier, Settled } from './notifier.ts';
import { askAgainMs } from './patience.ts';
import { paymentProblem } from './problems.ts';
import type { Round } from './round.ts';

/** What an operator has asked for, and the phone that gets the SMS; null: none is known. */
export interface Resend {
  action: StoredAction;
  phone: string | null;
}

/**
 * Sends a claimed notification again. Providers are asked first about attempts whose outcome is unknown: if one has accepted the
 * SMS meanwhile, that is recorded, and nothing is sent. One that was `sent` or `delivered` before gets one round.
 *
 * @throws LeaseLost, StoreUnavailable
 * @throws Problem 409 if a provider turns out to have rejected the recipient, the phone is suppressed, or a bound does not let the
 *   SMS out and the notification does not wait for it
 */
export type ResendRound = (claimed: Payment, resend: Resend, log: FastifyBaseLogger) => Promise<Payment>;

interface ResendRoundOptions {
  notifier: Pick<Notifier, 'settleUnknown' | 'begin' | 'availableInMs'>;
  policy: RetryPolicy;
  bounds: Pick<Bounds, 'admit'> | undefined;
  round: Round;
  mayBeAnswered: (settled: Settled) => boolean;
  /** Records the payment, and returns it. */
  record: (payment: Payment, before: Payment) => Promise<Payment>;
}

export function createResendRound(options: ResendRoundOptions): ResendRound {
  const { notifier, policy, bounds, round, mayBeAnswered, record } = options;

  /** Makes the attempt that was begun, unless the phone has just been suppressed. */
  async function attempt(
    begun: Payment,
    known: Payment,
    claimed: Payment,
    log: FastifyBaseLogger,
  ): Promise<Payment> {
    try {
      await record(begun, claimed);
    } catch (error) {
      if (!(error instanceof RecipientSuppressed)) throw error;
      await record(isOpen(known) ? suppress(known) : known, claimed);
      throw paymentProblem('recipient-suppressed');
    }
    return (await round(begun, log)).payment;
  }

  async function tryOnce(
    reopened: Payment,
    known: Payment,
    claimed: Payment,
    log: FastifyBaseLogger,
  ): Promise<Payment> {
    const begun = notifier.begin(reopened);
    const admitted = bounds ? await bounds.admit(begun, reopened) : begun;
    if (askedProvider(admitted)) return attempt(admitted, known, claimed, log);
    if (admitted === begun) return record(skipAll(begun), claimed);
    if (!isTaken(reopened)) return record(admitted, claimed);
    // What was accepted once does not wait for a bound: it would fail if it expired before.
    await record(known, claimed);
    throw heldBack(admitted);
  }

  /** No provider is available: the attempts that were skipped are recorded, because they show it. */
  const skipAll = (begun: Payment): Payment =>
    isOpen(begun) ? postpone(begun, policy, notifier.availableInMs(begun)) : begun;

  return async (claimed, { action, phone }, log) => {
    const settled = await notifier.settleUnknown(claimed);
    const known = settled.payment;
    // The action is recorded all the same, so that its Idempotency-Key sends nothing later.
    if (isTaken(known) && !isTaken(claimed)) return record(addAction(known, action), claimed);
    if (isRejectedPhone(known, phone)) {
      await record(known, claimed);
      throw paymentProblem('recipient-rejected');
    }
    const reopened = { ...reopen(known, action, policy.ttlMs), phone };
    if (isOpen(reopened) && mayBeAnswered(settled))
      return record(postpone(reopened, policy, askAgainMs), claimed);
    return tryOnce(reopened, known, claimed, log);
  };
}

/** Without a reason, the bounds could not be asked. */
const heldBack = ({ notification_status, reason }: Payment) =>
  notification_status === 'held'
    ? paymentProblem('resend-held-back', { detail: `The SMS is held back: ${reason}.`, reason })
    : paymentProblem('store-unavailable');
