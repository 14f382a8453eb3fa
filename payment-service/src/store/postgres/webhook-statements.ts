import { rowsOf } from 'service-kit/postgres/rows.ts';
import {
  longestWebhookWaitMs,
  type WebhookCounts,
  type WebhookDelivery,
  type WebhookPage,
  type WebhookQuery,
  type WebhookSettlement,
  type WebhookStatus,
} from '../events.ts';
import { isText, type Query } from './query.ts';
import { webhookClaims } from './webhook-claims.ts';

const names = `event_id, type, payment_id, delivery_status AS status, tries, reason, tried_at, due_at AS next_try_at,
         created_at`;
const replay = "delivery_status = 'pending', tries = 0, reason = NULL, due_at = now()";

/** In the texts of the statements, because the indexes are partial. */
const conditions: Record<WebhookStatus | 'all', string> = {
  all: 'delivery_status IS NOT NULL',
  pending: "delivery_status = 'pending'",
  delivered: "delivery_status = 'delivered'",
  dead: "delivery_status = 'dead'",
};

const settlements = rowsOf({
  event_id: 'text',
  tries: 'integer',
  status: 'text',
  reason: 'text',
  wait_ms: 'float8',
});
const ids = settlements.parameter('event_id');
const unlessReleased = (value: string, otherwise: string) =>
  `CASE WHEN given.status = 'released' THEN ${otherwise} ELSE ${value} END`;

/** Two tries of one event can end together, if it was replayed meanwhile: of two rows the statement would take either. */
function settling(given: WebhookSettlement[]): WebhookSettlement[] {
  const delivered = new Set(given.filter(({ status }) => status === 'delivered').map((end) => end.event_id));
  return given.filter(({ status, event_id }) => status === 'delivered' || !delivered.has(event_id));
}

/** The statements about the deliveries of events to the webhook endpoint. */
export const webhookStatements = (query: Query) => ({
  claimWebhooks: webhookClaims(query),

  /**
   * Has the next event of each payment become due whose first one has ended, also if it is due, so that a claim which runs meanwhile
   * finds it changed. Not in a statement of its own, which would find some that are claimed by then.
   */
  async settleWebhooks(given: WebhookSettlement[]): Promise<void> {
    const rows = settling(given).map((end) => ({ reason: null, wait_ms: null, ...end }));
    await query(
      'settle_webhooks',
      `WITH settled AS (
         UPDATE events SET
           delivery_status = ${unlessReleased('given.status', "'pending'")},
           tries = ${unlessReleased('events.tries + 1', 'events.tries')},
           reason = ${unlessReleased('given.reason', 'events.reason')},
           tried_at = ${unlessReleased('now()', 'events.tried_at')},
           due_at = CASE given.status WHEN 'released' THEN now() ELSE now() + given.wait_ms * interval '1 ms' END
         FROM ${settlements.sql}
         WHERE events.event_id = ANY (${ids}) AND events.event_id = given.event_id
           AND events.due_at IS NOT NULL AND (given.status = 'delivered' OR events.tries = given.tries)
         RETURNING events.payment_id, events.number, events.delivery_status
       )
       UPDATE events SET due_at = now()
       WHERE event_id = ANY (ARRAY (
         SELECT (
           SELECT event_id FROM events
           WHERE events.payment_id = settled.payment_id AND events.delivery_status = 'pending'
             AND events.number > settled.number AND event_id <> ALL (${ids})
           ORDER BY events.number LIMIT 1
         ) FROM settled WHERE delivery_status <> 'pending'
       )) AND due_at IS NOT NULL`,
      settlements.values(rows),
    );
  },

  async bringWebhooksForward(limit: number): Promise<void> {
    await query(
      'bring_webhooks_forward',
      `UPDATE events SET due_at = now()
       WHERE event_id = ANY (ARRAY (
         SELECT event_id FROM events
         WHERE ${conditions.pending} AND due_at > now() + $2 * interval '1 ms'
         ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
       )) AND due_at IS NOT NULL`,
      [limit, longestWebhookWaitMs],
    );
  },

  async listWebhooks(given: WebhookQuery): Promise<WebhookPage | undefined> {
    const { limit, starting_after: after } = given;
    if (after !== undefined && !(await hasEvent(query, after))) return undefined;
    const status = given.status ?? 'all';
    const condition = conditions[status] + (after === undefined ? '' : ' AND event_id < $2');
    const found = await query<WebhookDelivery>(
      `list_webhooks ${status}${after === undefined ? '' : ' after'}`,
      // Those that are pending have no index in this order, which each event would have to be put into, and are not many.
      `WITH found AS ${status === 'pending' ? '' : 'NOT '}MATERIALIZED (
         SELECT ${names} FROM events WHERE ${condition}
       ) SELECT * FROM found ORDER BY event_id DESC LIMIT $1`,
      [limit + 1, ...(after === undefined ? [] : [after])],
    );
    return { deliveries: found.slice(0, limit), has_more: found.length > limit };
  },

  async replayWebhook(id: string): Promise<WebhookDelivery | undefined> {
    if (!isText(id)) return undefined;
    const [replayed] = await query<WebhookDelivery>(
      'replay_webhook',
      `UPDATE events SET ${replay} WHERE event_id = $1 AND ${conditions.all} RETURNING ${names}`,
      [id],
    );
    return replayed;
  },

  async replayDeadWebhooks(since: Date, limit: number): Promise<number> {
    const replayed = await query(
      'replay_dead_webhooks',
      `UPDATE events SET ${replay}
       WHERE event_id = ANY (ARRAY (
         SELECT event_id FROM events WHERE ${conditions.dead} AND created_at >= $1
         ORDER BY event_id DESC LIMIT $2 FOR UPDATE SKIP LOCKED
       ))
       RETURNING 1`,
      [since, limit],
    );
    return replayed.length;
  },

  async countWebhooks(): Promise<WebhookCounts> {
    const [counts] = await query<WebhookCounts>(
      'count_webhooks',
      `SELECT pending, oldest_at, (SELECT count(*) FROM events WHERE ${conditions.dead}) AS dead
       FROM (SELECT count(*) AS pending, min(created_at) AS oldest_at FROM events WHERE ${conditions.pending}) AS counted`,
      [],
    );
    return counts ?? { pending: 0, dead: 0, oldest_at: null };
  },
});

const hasEvent = async (query: Query, id: string): Promise<boolean> =>
  isText(id) && (await query('find_event', 'SELECT 1 FROM events WHERE event_id = $1', [id])).length > 0;
