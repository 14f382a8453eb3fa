import { hash } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { StoredAction } from '../domain/actions.ts';
import { askedProvider } from '../domain/attempts.ts';
import { isRejectedPhone, newAction } from '../domain/operator-actions.ts';
import type { Payment } from '../domain/payment.ts';
import { LeaseLost, type Store } from '../store/store.ts';
import type { Delivery } from './delivery.ts';
import { findPayment, requireAllowed } from './find-for-action.ts';
import { logAction } from './log-action.ts';
import { paymentProblem } from './problems.ts';

export interface ResendRequest {
  phone?: string | undefined;
  /** The only provider that is tried, until the notification is sent again. */
  provider?: Provider | undefined;
  reason: string;
  /** The name of the operator's key; null without keys. */
  by: string | null;
  /** Within the keys of the operator. */
  idempotencyKey: string | undefined;
}

interface Resent {
  payment: Payment;
  /** The key of the request was known: nothing was sent. */
  replayed: boolean;
}

/**
 * Sends a notification again, perhaps to another phone.
 *
 * @throws Problem 404; 409 if the state does not allow it, nothing can be sent, the phone must get no SMS, or the notification is
 *   being handled; 422 if the key came with another request
 */
export type ResendNotification = (
  paymentId: string,
  request: ResendRequest,
  log: FastifyBaseLogger,
) => Promise<Resent>;

interface ResendOptions {
  store: Pick<Store, 'find' | 'findPhone' | 'findSuppression' | 'claim'>;
  delivery: Pick<Delivery, 'resend'>;
}

export function createNotificationResend({ store, delivery }: ResendOptions): ResendNotification {
  /** @throws Problem 409 if the phone must get no SMS */
  async function phoneFor(payment: Payment, given: string | undefined): Promise<string | null> {
    const phone = given ?? payment.phone ?? (await store.findPhone(payment)) ?? null;
    if (isRejectedPhone(payment, phone)) throw paymentProblem('recipient-rejected');
    if (phone !== null && (await store.findSuppression({ phone })))
      throw paymentProblem('recipient-suppressed');
    return phone;
  }

  return async (paymentId, { phone: given, provider = null, reason, by, idempotencyKey }, log) => {
    const payment = await findPayment(store, paymentId);
    const request =
      idempotencyKey === undefined ? null : hashesOf(idempotencyKey, { given, provider, reason });
    if (isReplay(payment, request)) return { payment, replayed: true };
    requireAllowed(payment, 'resend');
    if (payment.message === null) throw paymentProblem('message-redacted');
    const phone = await phoneFor(payment, given);
    const action = newAction({ action: 'resend', by, reason, provider, request });
    try {
      const resent = await delivery.resend(await store.claim(payment), { action, phone }, log);
      logAction(log, resent, action);
      return { payment: resent, replayed: false };
    } catch (error) {
      throw error instanceof LeaseLost ? inUse(request) : error;
    }
  };
}

/** @throws Problem 422 if the key came with another request, 409 while an attempt runs */
function isReplay(payment: Payment, request: StoredAction['request']): boolean {
  const known = request && payment.actions.find((action) => action.request?.key === request.key);
  if (!known) return false;
  if (known.request?.fingerprint !== request.fingerprint) throw paymentProblem('idempotency-key-reused');
  if (askedProvider(payment)) throw paymentProblem('idempotency-key-in-use');
  return true;
}

const inUse = (request: StoredAction['request']) =>
  request
    ? paymentProblem('idempotency-key-in-use', {
        detail:
          'The notification is being handled, perhaps for the first request with this Idempotency-Key. Retry soon.',
      })
    : paymentProblem('notification-in-use');

const sha256 = (text: string) => hash('sha256', text);

const hashesOf = (
  key: string,
  { given, provider, reason }: { given: string | undefined; provider: Provider | null; reason: string },
) => ({ key: sha256(key), fingerprint: sha256(JSON.stringify([given ?? null, provider, reason])) });
