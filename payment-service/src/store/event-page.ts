import type { PaymentEvent } from '../domain/events.ts';
import type { EventPage, EventPosition, EventQuery } from './events.ts';

/** An event that was read for a page. It has no data if its payment is not the query's client's. */
export type ReadEvent = Omit<PaymentEvent, 'data'> & EventPosition & { data: string | null };

/** So that a client with few payments among those of others holds up neither the database nor the event loop. */
const lookedAt = 1000;

/** How many events a page looks at, at most. */
export const rowsOfPage = ({ client, limit }: EventQuery): number =>
  client === undefined ? limit : Math.max(limit, lookedAt);

/** The page of what was read: `rowsOfPage` rows and, if there are more, another one. */
export function eventPage(rows: ReadEvent[], query: EventQuery): EventPage {
  const events: PaymentEvent[] = [];
  let seen = 0;
  for (const { number: _number, transaction: _transaction, data, ...event } of rows.slice(
    0,
    rowsOfPage(query),
  )) {
    if (events.length === query.limit) break;
    seen += 1;
    if (data !== null) events.push({ ...event, data });
  }
  const last = rows[seen - 1];
  return {
    events,
    position: last ? { transaction: last.transaction, number: last.number } : query.after,
    recorded_at: last?.created_at,
    has_more: rows.length > seen,
  };
}
