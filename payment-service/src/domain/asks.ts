import type { Outcome } from 'service-kit/contract/notification.ts';
import { isUnderWay, sentAt } from './deliveries.ts';
import { change, type Payment } from './payment.ts';

/** When a provider is asked what became of an SMS for which no receipt came. Durations are milliseconds. */

/** Answers to one payment's asks, after which no more are made: what the provider does not know by then, it hardly learns. */
const maxAsks = 3;

/** The longest wait for a provider that does not answer. */
const longestPauseMs = 3_600_000;

/**
 * Schedules the first ask once an SMS was accepted whose provider reports what became of it, or answers for it. It is earlier
 * for a provider that reports nothing by itself.
 */
export function scheduleFirstAsk(payment: Payment, outcome: Outcome, receiptTimeoutMs: number): Payment {
  if (outcome.outcome !== 'accepted' || !outcome.receipts?.length) return payment;
  if (!payment.attempts.some(isUnderWay)) return payment;
  const waitMs = outcome.receipts.includes('push') ? receiptTimeoutMs : receiptTimeoutMs / 20;
  return { ...payment, asks: 0, ask_at: after(waitMs) };
}

/**
 * Schedules the next ask after one that brought no receipt. The record says `no_receipt` once the receipt is overdue.
 *
 * @param answer `none`: it does not count, so that an outage of the provider spends no ask; `last`: no other is of use
 */
export function scheduleNextAsk(
  payment: Payment,
  answer: 'none' | 'unknown' | 'last',
  receiptTimeoutMs: number,
): Payment {
  if (!payment.attempts.some(isUnderWay)) return { ...payment, ask_at: null };
  const ageMs = Math.max(0, Date.now() - Date.parse(sentAt(payment) ?? payment.created_at));
  const isOverdue = ageMs >= receiptTimeoutMs;
  const asks = answer === 'last' ? maxAsks : payment.asks + (answer === 'unknown' ? 1 : 0);
  const next = { ...payment, asks, ask_at: nextAskAt() };
  const reason = isOverdue && payment.notification_status === 'sent' ? 'no_receipt' : payment.reason;
  return reason === payment.reason ? next : change(next, { reason });

  function nextAskAt(): string | null {
    if (asks >= maxAsks) return isOverdue ? null : after(receiptTimeoutMs - ageMs);
    if (answer === 'unknown') return after(Math.max(receiptTimeoutMs, 3 * ageMs) - ageMs);
    return after(Math.min(Math.max(ageMs / 4, receiptTimeoutMs / 20), longestPauseMs));
  }
}

/** Whether the provider is still to be asked: otherwise the payment only waits until its receipt is overdue. */
export const mayAsk = ({ asks }: Payment): boolean => asks < maxAsks;

/** Spread over a tenth of the wait, so that SMS which were sent together are not asked about together. */
const after = (waitMs: number): string =>
  new Date(Date.now() + waitMs * (1 + Math.random() / 10)).toISOString();
