import type { Payment } from '../payment.ts';

/** The rows of those attempts that were not the same before: what has ended long ago is not written again. */
export const attemptRows = ({ payment_id, notification }: Payment, before?: Payment) =>
  notification.attempts.flatMap((attempt, index) =>
    attempt === before?.notification.attempts[index] ? [] : [{ payment_id, number: index + 1, ...attempt }],
  );
