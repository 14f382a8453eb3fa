import type { FastifyBaseLogger } from 'fastify';
import type { StoredAction } from '../domain/actions.ts';
import type { Payment } from '../domain/payment.ts';

/** Logs one line for what an operator has done, with what became of the notification. */
export function logAction(log: FastifyBaseLogger, payment: Payment, doing: StoredAction): void {
  const { payment_id, notification_status, attempts } = payment;
  const { action, by, reason, provider } = doing;
  const outcome = attempts.at(-1)?.outcome;
  log.info({ payment_id, action, by, reason, provider, notification_status, outcome }, 'operator action');
}
