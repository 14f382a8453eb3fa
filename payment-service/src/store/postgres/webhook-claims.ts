import { eventColumns } from '../columns.ts';
import type { ClaimedWebhook } from '../events.ts';
import type { Query } from './query.ts';

/** How many due deliveries are looked at when those that are usually looked at were too few. */
const manyLookedAt = 1000;

const claimedNames = [...Object.keys(eventColumns), 'tries'].join(', ');
const leaseEnd = "now() + $2 * interval '1 ms'";

/** When it is known whether one has been delivered whose first try is under way, mostly. */
const soon = "now() + interval '1 s'";
const ofWaiting = 'CASE WHEN earliest.tries > 0 THEN earliest.due_at END';

/** A value of the first pending event of the payment of an event. */
const earliest = (value: string, of: string) => `
           SELECT ${value} FROM events AS earliest
           WHERE earliest.payment_id = ${of}.payment_id AND earliest.delivery_status = 'pending'
           ORDER BY earliest.number LIMIT 1
         `;

type Row = { looked_at: number; postponed: number } & (ClaimedWebhook | Record<keyof ClaimedWebhook, null>);

const isClaimed = (row: Row): row is Row & ClaimedWebhook => row.event_id !== null;

/** The statement by which workers take deliveries of events. */
export function webhookClaims(query: Query) {
  /**
   * Those that are not the first of their payment are due again when that one is, so that not every claim looks at them until then.
   * When it is delivered or dead, `settleWebhooks` has the next one become due: a claim that began before leaves that one as it is.
   * One that was recorded during that statement is not seen by it, and waits for what a claim has set.
   *
   * The order of a payment's events is that of their numbers: see event-recording.ts. Rows that are named by their ids are pending
   * if they have a due time: by their status, the index of all that are pending would seem to serve while the table is empty.
   */
  const claim = (limit: number, leaseMs: number, lookedAt: number) =>
    query<Row>(
      'claim_webhooks',
      `WITH due AS MATERIALIZED (
         SELECT event_id, due_at, number = (${earliest('earliest.number', 'due')}) AS is_first
         FROM events AS due WHERE delivery_status = 'pending' AND due_at <= now() ORDER BY due_at LIMIT $3
       ), firsts AS MATERIALIZED (
         SELECT locked.event_id FROM (SELECT event_id FROM due WHERE is_first ORDER BY due_at) AS first
         CROSS JOIN LATERAL (
           SELECT event_id FROM events WHERE events.event_id = first.event_id AND due_at <= now()
           FOR UPDATE SKIP LOCKED
         ) AS locked LIMIT $1
       ), later AS MATERIALIZED (
         SELECT locked.event_id FROM due
         CROSS JOIN LATERAL (
           SELECT event_id, due_at FROM events WHERE events.event_id = due.event_id FOR UPDATE SKIP LOCKED
         ) AS locked WHERE NOT is_first AND locked.due_at = due.due_at
       ), claimed AS (
         UPDATE events SET due_at = ${leaseEnd} WHERE event_id = ANY (ARRAY (SELECT event_id FROM firsts))
         RETURNING ${claimedNames}
       ), postponed AS (
         UPDATE events SET due_at = greatest(${soon}, (${earliest(ofWaiting, 'events')}))
         WHERE event_id = ANY (ARRAY (SELECT event_id FROM later))
         RETURNING 1
       )
       SELECT counted.*, ${claimedNames} FROM (
         SELECT (SELECT count(*) FROM due) AS looked_at, (SELECT count(*) FROM postponed) AS postponed
       ) AS counted LEFT JOIN claimed ON true`,
      [limit, leaseMs, lookedAt],
    );

  /** Goes on while it finds none but later events of payments, whose first one waits. */
  return async function claimWebhooks(limit: number, leaseMs: number): Promise<ClaimedWebhook[]> {
    const claimed: ClaimedWebhook[] = [];
    let lookedAt = 2 * limit;
    for (;;) {
      const rows = await claim(limit - claimed.length, leaseMs, lookedAt);
      const found = rows.filter(isClaimed);
      claimed.push(...found.map(claimedOf));
      const { looked_at = 0, postponed = 0 } = rows[0] ?? {};
      const areOthers = found.length + postponed === 0 && lookedAt === manyLookedAt; // other workers take them
      if (claimed.length >= limit || looked_at < lookedAt || areOthers) return claimed;
      lookedAt = manyLookedAt;
    }
  };
}

const claimedOf = ({ event_id, payment_id, type, data, created_at, tries }: ClaimedWebhook) => ({
  ...{ event_id, payment_id, type, data, created_at, tries },
});
