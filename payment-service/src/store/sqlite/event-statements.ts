import type { DatabaseSync } from 'node:sqlite';
import { eventColumns } from '../columns.ts';
import { type ReadEvent, rowsOfPage } from '../event-page.ts';
import type { ClaimedWebhook, EventQuery, WebhookCounts, WebhookStatus } from '../events.ts';
import { type DeliveryRow, insertedNames } from './event-rows.ts';
import type { Values } from './rows.ts';

const columns = Object.keys(eventColumns).join(', ');
const deliveryColumns =
  'event_id, type, payment_id, delivery_status AS status, tries, reason, tried_at, due_at, created_at';
type EventRow = Omit<ReadEvent, 'transaction'>;

export function prepareEventReads(db: DatabaseSync) {
  const read = db.prepare(`SELECT number, ${columns} FROM events WHERE number > ? ORDER BY number LIMIT ?`);
  const readOwn = db.prepare(`
    SELECT number, event_id, payment_id, type, created_at,
      iif((SELECT client FROM payments WHERE payment_id = events.payment_id) = ?, data, NULL) AS data
    FROM events WHERE number > ? ORDER BY number LIMIT ?`);
  const highest = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`);
  const numberOf = db.prepare('SELECT number FROM events WHERE event_id = ?');
  const prepareList = (status: WebhookStatus) =>
    db.prepare(`
      SELECT ${deliveryColumns} FROM events
      WHERE delivery_status = '${status}' AND number < ? ORDER BY number DESC LIMIT ?`);
  // SQLite would read the table from its newest row on, of which nearly all are delivered. The index has the numbers.
  const prepareListOf = (status: WebhookStatus, index: string) =>
    db.prepare(`
      SELECT ${deliveryColumns} FROM events
      WHERE number IN (
        SELECT number FROM events INDEXED BY ${index}
        WHERE delivery_status = '${status}' AND number < ? ORDER BY number DESC LIMIT ?
      )
      ORDER BY number DESC`);
  const lists = {
    delivered: prepareList('delivered'),
    pending: prepareListOf('pending', 'events_due'),
    dead: prepareListOf('dead', 'events_dead'),
    all: db.prepare(`
      SELECT ${deliveryColumns} FROM events
      WHERE delivery_status IS NOT NULL AND number < ? ORDER BY number DESC LIMIT ?`),
  };
  const counts = db.prepare(`
    SELECT pending, (SELECT created_at FROM events WHERE number = oldest) AS oldest_at,
      (SELECT count(*) FROM events WHERE delivery_status = 'dead') AS dead
    FROM (SELECT count(*) AS pending, min(number) AS oldest FROM events WHERE delivery_status = 'pending')`);

  return {
    /** One more than the page looks at. */
    readEvents(query: EventQuery) {
      const [after, count] = [query.after?.number ?? 0, rowsOfPage(query) + 1];
      const found =
        query.client === undefined ? read.all(after, count) : readOwn.all(query.client, after, count);
      return found as unknown as EventRow[];
    },
    /** The highest number that an event was given, also if it was deleted; 0 if none was. */
    highestEvent: () => (highest.get() as { seq: number } | undefined)?.seq ?? 0,
    numberOfEvent: (id: string) => (numberOf.get(id) as { number: number } | undefined)?.number,
    /** Those before the number, newest first. */
    listWebhooks: (status: WebhookStatus | undefined, before: number, limit: number) =>
      lists[status ?? 'all'].all(before, limit) as unknown as DeliveryRow[],
    countWebhooks: () => ({ ...counts.get() }) as unknown as WebhookCounts,
  };
}

/** The statement that records the events of a change in its transaction, in their order. */
export function prepareRecordEvents(db: DatabaseSync): (events?: Values[]) => void {
  // Due no earlier than the ones before it: see `settleWebhooks`.
  const insert = db.prepare(`
    INSERT INTO events (${insertedNames.join(', ')})
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, max(?7, coalesce(
      (SELECT max(due_at) FROM events WHERE delivery_status = 'pending' AND payment_id = ?2), ?7
    )))`);
  return (events = []) => {
    for (const event of events) insert.run(...event);
  };
}

/** The statements about what was recorded. Times are ms since the epoch. */
export function prepareEventWrites(db: DatabaseSync) {
  const deleteOld = db.prepare(`
    DELETE FROM events
    WHERE number IN (SELECT number FROM events ORDER BY number LIMIT :limit) AND created_at < :before`);
  const claim = db.prepare(`
    UPDATE events SET due_at = :leased_until
    WHERE number IN (
      SELECT number FROM events AS due
      WHERE delivery_status = 'pending' AND due_at <= :now AND number = (
        SELECT min(number) FROM events WHERE delivery_status = 'pending' AND payment_id = due.payment_id
      )
      ORDER BY due_at LIMIT :limit
    )
    RETURNING ${columns}, tries`);
  const bringForward = db.prepare(`
    UPDATE events SET due_at = :now
    WHERE number IN (
      SELECT number FROM events WHERE delivery_status = 'pending' AND due_at > :latest ORDER BY due_at LIMIT :limit
    )`);
  const replay = db.prepare(`
    UPDATE events SET delivery_status = 'pending', tries = 0, reason = NULL, due_at = :now
    WHERE event_id = :event_id AND delivery_status IS NOT NULL
    RETURNING ${deliveryColumns}`);
  const replayDead = db.prepare(`
    UPDATE events SET delivery_status = 'pending', tries = 0, reason = NULL, due_at = :now
    WHERE number IN (
      SELECT number FROM events
      WHERE delivery_status = 'dead' AND created_at >= :since ORDER BY created_at, number LIMIT :limit
    )`);

  return {
    deleteEvents: (before: number, limit: number): number =>
      Number(deleteOld.run({ before: new Date(before).toISOString(), limit }).changes),
    claimWebhooks: (now: number, limit: number, leased_until: number) =>
      claim.all({ now, limit, leased_until }) as unknown as ClaimedWebhook[],
    bringWebhooksForward: (now: number, latest: number, limit: number) =>
      void bringForward.run({ now, latest, limit }),
    replayWebhook: (event_id: string, now: number) =>
      replay.get({ event_id, now }) as unknown as DeliveryRow | undefined,
    replayDeadWebhooks: (since: number, limit: number, now: number): number =>
      Number(replayDead.run({ since: new Date(since).toISOString(), limit, now }).changes),
  };
}
