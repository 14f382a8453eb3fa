import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { eventSchema, type PaymentEvent } from '../domain/events.ts';
import { limitSchema } from '../domain/page-limit.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { EventPosition, EventRecording, EventStore } from '../store/events.ts';
import { beginning, type EventCursor, readCursor, writeCursor } from './event-cursor.ts';
import { bodyOf } from './message.ts';

const pageSchema = z
  .object({
    data: z.array(eventSchema).meta({ description: 'Oldest first' }),
    cursor: z.string().meta({
      description: 'To pass as `after`. A page without events has one, too',
      example: 'MS4wLjE3LjE3Njk4Nzg4MDAwMDA',
    }),
    has_more: z.boolean(),
  })
  .meta({ id: 'EventList' });

const querySchema = z.strictObject({
  after: z
    .string()
    .transform((text, { issues }) => {
      const cursor = readCursor(text);
      if (cursor) return cursor;
      issues.push({ code: 'custom', message: 'must be a `cursor` of this feed', input: text });
      return z.NEVER;
    })
    .optional()
    .meta({
      description: 'The `cursor` of the page before. Without it the page starts with the oldest event',
    }),
  // Higher than that of the lists, because a backend that was away reads all that it has missed.
  limit: limitSchema({ max: 1000, byDefault: 100 }),
});

/**
 * How much longer before the end of the retention a cursor is doubted: an event gets its time before its commit, and by the clock of
 * another replica.
 */
const marginMs = 60_000;

interface EventsOptions {
  store: Pick<EventStore, 'readEvents'>;
  recording: EventRecording;
  /** How long events are stored, in ms. */
  retentionMs: number;
  visibility: Pick<Visibility, 'confinedTo'>;
}

export function registerEvents(
  server: Server,
  { store, recording, retentionMs, visibility }: EventsOptions,
): void {
  server.get(
    '/events',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['events'],
        operationId: 'listEvents',
        summary: 'Follow what becomes of payments, oldest first',
        description:
          'Each event is returned once if each `cursor` is passed on, whatever happens meanwhile. Events are kept for EVENTS_RETENTION_MS, or until their customer is erased. With CLIENTS_ISOLATED=true a client gets the events of its own payments; a page may have fewer of them than `limit`, or none, and `has_more` be true.',
        querystring: querySchema,
        response: {
          200: pageSchema,
          ...problemResponses(paymentProblems, 'events-off', 'cursor-expired', 'store-unavailable'),
        },
      },
    },
    async ({ query: { after, limit }, credential }, reply) => {
      if (recording === 'off') throw paymentProblem('events-off');
      const now = Date.now(); // before the read, because what is recorded during it may not be in the page
      const client = visibility.confinedTo(credential);
      const page = await store.readEvents({ after: after?.position, client, limit });
      if (!page || (after && !(await isValid(after, now)))) throw paymentProblem('cursor-expired');
      const { events, position = beginning, recorded_at, has_more } = page;
      const cursor = writeCursor({ position, at: has_more && recorded_at ? Date.parse(recorded_at) : now });
      // As text, because the data of each event is JSON already, and its amount has more digits than a double.
      const text = `{"data":[${events.map(textOf).join()}],"cursor":"${cursor}","has_more":${has_more}}`;
      return reply.type('application/json; charset=utf-8').send(text as never);
    },
  );

  /**
   * Whether no event after the cursor was deleted while it was younger than the retention, as far as its time says. One that is too
   * old for that is not refused as long as its own event is stored, because the oldest are deleted first: otherwise a client that
   * begins with the oldest might never get ahead of the deletion.
   */
  async function isValid({ position, at }: EventCursor, now: number): Promise<boolean> {
    if (at > now - retentionMs + marginMs && at <= now + marginMs) return true;
    const before = { ...position, number: position.number - 1 };
    const page = await store.readEvents({ after: before, limit: 1 });
    return isSame(page?.position, position);
  }
}

const isSame = (one: EventPosition | undefined, other: EventPosition) =>
  one?.transaction === other.transaction && one.number === other.number;

const textOf = (event: PaymentEvent) => `{"id":"${event.event_id}",${bodyOf(event).slice(1)}`;
