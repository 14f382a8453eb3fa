import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { openSession } from 'service-kit/postgres/session.ts';
import { eventColumns } from '../columns.ts';
import { eventPage, type ReadEvent, rowsOfPage } from '../event-page.ts';
import type { EventPage, EventPosition, EventQuery } from '../events.ts';
import type { Query } from './query.ts';

const columns = Object.keys(eventColumns).join(', ');
const ownColumns = columns.replace(
  /\bdata\b/,
  'CASE WHEN (SELECT client FROM payments WHERE payment_id = events.payment_id) = $4 THEN data END AS data',
);
const start: EventPosition = { transaction: '0', number: 0 };

/** All but the first is null if there is no event. */
type FoundRow = { reached: boolean } & (ReadEvent | Record<keyof ReadEvent, null>);

const hasEvent = (row: FoundRow): row is { reached: boolean } & ReadEvent => row.event_id !== null;

/** No transaction of this database has had this id yet. */
const isOfFuture = 'transaction_id >= pg_snapshot_xmax(pg_current_snapshot())';

/**
 * Brings the events to the present that come from a database which has had more transactions, and of which this one was restored:
 * behind those of its past, so that a reader misses none, and before all to come. Otherwise they would be hidden until this
 * database has had as many transactions, and come after newer ones then. Their numbers, which stay, order them.
 *
 * In a session of its own, since the statements of the pool have a time limit. The lock has a second replica find those that the
 * first one has brought.
 *
 * @throws DatabaseError
 */
export async function bringEventsToPresent(url: string): Promise<void> {
  try {
    await using session = await openSession(url);
    await session.query(`
      BEGIN;
      LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE;
      UPDATE events SET transaction_id = pg_current_xact_id() WHERE ${isOfFuture};
      COMMIT`);
  } catch (error) {
    throw error instanceof DatabaseError ? error : new DatabaseError(error, false);
  }
}

/** The statements about the feed. */
export const eventStatements = (query: Query) => ({
  /**
   * A transaction has its id before its commit, so that one with a lower id can commit later: the feed ends before the oldest that
   * runs, in any database of the server. The snapshot is the one that finds the events.
   */
  async readEvents(asked: EventQuery): Promise<EventPage | undefined> {
    const { after = start, client } = asked;
    const isOfAll = client === undefined;
    const rows = await query<FoundRow>(
      isOfAll ? 'read_events' : 'read_own_events',
      `SELECT reached, page.* FROM (
         SELECT $1::xid8 < pg_snapshot_xmax(pg_current_snapshot())
           AND $2::bigint <= coalesce(pg_sequence_last_value('events_number_seq'), 0) AS reached
       ) AS place LEFT JOIN LATERAL (
         SELECT ${isOfAll ? columns : ownColumns}, transaction_id::text AS transaction, number FROM events
         WHERE (transaction_id, number) > ($1::xid8, $2::bigint)
           AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY transaction_id, number LIMIT $3
       ) AS page ON reached`,
      [after.transaction, after.number, rowsOfPage(asked) + 1, ...(isOfAll ? [] : [client])],
    );
    if (!rows[0]?.reached) return undefined;
    const found = rows.filter(hasEvent).map(({ reached: _reached, ...event }) => event);
    return eventPage(found, asked);
  },

  /** Those are looked at that come first in the feed, so that no index by time is needed. */
  async deleteEvents(before: Date, limit: number): Promise<number> {
    const deleted = await query(
      'delete_events',
      `DELETE FROM events
       WHERE event_id = ANY (ARRAY (
         SELECT event_id FROM events
         WHERE event_id = ANY (ARRAY (
           SELECT event_id
           FROM (SELECT event_id, created_at FROM events ORDER BY transaction_id, number LIMIT $2) AS first
           WHERE created_at < $1
         ))
         FOR UPDATE SKIP LOCKED
       ))
       RETURNING 1`,
      [before, limit],
    );
    return deleted.length;
  },

  hasEventsOfFuture: async (): Promise<boolean> =>
    (await query('events_of_future', `SELECT 1 FROM events WHERE ${isOfFuture} LIMIT 1`, [])).length > 0,
});
