import { rowsOf } from 'service-kit/postgres/rows.ts';
import { eventsOf } from '../../domain/events.ts';
import type { Payment } from '../../domain/payment.ts';
import { suppressNew } from '../../domain/suppression.ts';
import { eventColumns } from '../columns.ts';
import type { EventRecording } from '../events.ts';

/** A payment as it is written, and as it was before; a new one was undefined. */
interface Change {
  payment: Payment;
  before?: Payment | undefined;
}

const delivery = { webhooks: ", 'pending', now()", feed: ', NULL, NULL' };

/**
 * What a statement that writes payments needs to record their events as well. Its parameters begin with `first`. `written` selects
 * the payments that it has written, and whether the events are those of a new payment whose phone turned out to be suppressed.
 *
 * The events of one payment have their order both by their numbers and by their transactions:
 * - The number is given once the payment's row is locked, because only what was written gets one. The writer before has committed
 *   by then.
 * - The transaction has a higher id than that of the writer before, because it began after that one's commit. In one process
 *   write-order.ts sees to it. Of two processes, the one that waited for the other's commit with a transaction of its own finds
 *   another fencing token or due time, and writes nothing of this payment.
 */
export function recordingOf(recording: EventRecording, first: number, written: string) {
  if (recording === 'off') return { sql: '', ofNew: () => [], ofChanged: () => [] };
  const rows = rowsOf({ ...eventColumns, suppressed: 'boolean', place: 'integer' }, first);
  const columns = Object.keys(eventColumns).join(', ');
  const eventRows = ({ payment, before }: Change, suppressed: boolean) =>
    eventsOf(payment, before).map((event, place) => ({ ...event, suppressed, place }));
  return {
    /** A CTE. */
    sql: `, recorded AS (
    INSERT INTO events (${columns}, delivery_status, due_at)
    SELECT ${columns}${delivery[recording]} FROM ${rows.sql}
    WHERE (payment_id, suppressed) IN (${written}) ORDER BY place
  )`,
    /** Both what becomes of a new payment and what does if its phone is suppressed, which the statement finds out. */
    ofNew: (given: Change[]) =>
      rows.values(
        given.flatMap(({ payment }) => [
          ...eventRows({ payment }, false),
          ...eventRows({ payment: suppressNew(payment) }, true),
        ]),
      ),
    ofChanged: (given: Change[]) => rows.values(given.flatMap((each) => eventRows(each, false))),
  };
}
