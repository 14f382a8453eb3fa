import type { FastifyBaseLogger } from 'fastify';
import type { Attempt, Payment } from '../domain/payment.ts';

/** Logs one line for each round on record: which provider handled the payment, the outcome, and the attempts that explain it. */
export function logPayment(log: FastifyBaseLogger, payment: Payment, durationMs: number): void {
  const { attempts, reason, next_attempt_at } = payment;
  log.info(
    {
      payment_id: payment.payment_id,
      provider: payment.notification_service,
      outcome: attempts.at(-1)?.outcome,
      reason: reason ?? attempts.at(-1)?.reason,
      duration_ms: Math.round(durationMs),
      notification_status: payment.notification_status,
      next_attempt_at,
      retries: payment.retries,
      attempts: attempts.map(attemptToLog),
    },
    'notification handled',
  );
}

/** Without the digits of the phone. */
export function attemptToLog(attempt: Attempt) {
  const { provider, outcome, reason, message_id, started_at, duration_ms, mode, deliveries } = attempt;
  const logged = { provider, outcome, reason, message_id, started_at, duration_ms, mode };
  return deliveries.length > 0 ? { ...logged, deliveries } : logged;
}
