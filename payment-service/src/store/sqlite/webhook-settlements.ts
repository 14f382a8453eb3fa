import type { DatabaseSync } from 'node:sqlite';
import type { WebhookSettlement } from '../events.ts';

interface Settled {
  number: number;
  payment_id: string;
}

/**
 * Prepares the statements for the ends of tries. The events of a payment that follow a failed one are postponed with it, and the
 * next one becomes due when it has ended. A claim would otherwise read past them each time, since they can't be claimed: a receiver
 * that refuses one type of event leaves such an event for each of its payments.
 */
export function prepareSettlements(db: DatabaseSync) {
  const prepareEnd = (condition: string, changes: string) =>
    db.prepare(`
      UPDATE events SET ${changes} WHERE event_id = :event_id AND delivery_status = 'pending' ${condition}
      RETURNING number, payment_id`);
  const tried = 'tries = tries + 1, tried_at = :tried_at';
  const isOfThisTry = 'AND tries = :tries';
  const deliver = prepareEnd('', `delivery_status = 'delivered', reason = NULL, due_at = NULL, ${tried}`);
  const postpone = prepareEnd(isOfThisTry, `reason = :reason, due_at = :due_at, ${tried}`);
  const giveUp = prepareEnd(
    isOfThisTry,
    `delivery_status = 'dead', reason = :reason, due_at = NULL, ${tried}`,
  );
  const release = prepareEnd(isOfThisTry, 'due_at = :now');

  const haveNextDue = db.prepare(`
    UPDATE events SET due_at = min(due_at, :now)
    WHERE number = (
      SELECT min(number) FROM events
      WHERE delivery_status = 'pending' AND payment_id = :payment_id AND number > :number
    )`);
  const postponeNext = db.prepare(`
    UPDATE events SET due_at = :due_at
    WHERE delivery_status = 'pending' AND payment_id = :payment_id AND number > :number AND due_at < :due_at`);

  function settle(end: WebhookSettlement, now: number): void {
    const { event_id, tries } = end;
    const tried_at = new Date(now).toISOString();
    if (end.status === 'released') release.get({ event_id, tries, now });
    else if (end.status === 'pending') {
      const due_at = now + end.wait_ms;
      const settled = postpone.get({ event_id, tries, tried_at, due_at, reason: end.reason });
      if (settled) postponeNext.run({ ...(settled as unknown as Settled), due_at });
    } else {
      const settled =
        end.status === 'delivered'
          ? deliver.get({ event_id, tried_at })
          : giveUp.get({ event_id, tries, tried_at, reason: end.reason });
      if (settled) haveNextDue.run({ ...(settled as unknown as Settled), now });
    }
  }

  return {
    settleWebhooks(ends: WebhookSettlement[], now: number): void {
      for (const end of ends) settle(end, now);
    },
  };
}
