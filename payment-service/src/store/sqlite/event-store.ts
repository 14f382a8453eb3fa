import { eventPage } from '../event-page.ts';
import type { EventStore } from '../events.ts';
import { deliveryOf } from './event-rows.ts';
import type { openReader } from './reads.ts';
import type { WriterThread } from './writer-client.ts';

/** Commits have one order, so that the number alone is an event's place in the feed. */
const transaction = '0';

export function eventStore(
  { write }: Pick<WriterThread, 'write'>,
  reader: ReturnType<typeof openReader>,
  read: <T>(operation: () => T) => Promise<T>,
): EventStore {
  return {
    async readEvents(query) {
      const { after } = query;
      if (after && (await read(() => isBeyond(after.transaction, after.number)))) return undefined;
      const rows = await read(() => reader.readEvents(query));
      return eventPage(
        rows.map((row) => ({ ...row, transaction })),
        query,
      );
    },
    deleteEvents: (before, limit) => write('deleteEvents', before, limit),

    async claimWebhooks(limit, leaseMs) {
      const now = Date.now();
      return write('claimWebhooks', now, limit, now + leaseMs);
    },
    settleWebhooks: (settlements) => write('settleWebhooks', settlements, Date.now()),

    async listWebhooks({ limit, starting_after: after, status }) {
      const before =
        after === undefined ? Number.MAX_SAFE_INTEGER : await read(() => reader.numberOfEvent(after));
      if (before === undefined) return undefined;
      const rows = await read(() => reader.listWebhooks(status, before, limit + 1));
      return { deliveries: rows.slice(0, limit).map(deliveryOf), has_more: rows.length > limit };
    },
    async replayWebhook(eventId) {
      const row = await write('replayWebhook', eventId, Date.now());
      return row && deliveryOf(row);
    },
    replayDeadWebhooks: (since, limit) => write('replayDeadWebhooks', since, limit, Date.now()),
    countWebhooks: () => read(reader.countWebhooks),
  };

  /** Of a database that was restored since, or of PostgreSQL. */
  function isBeyond(transactionId: string, number: number): boolean {
    return transactionId !== transaction || number > reader.highestEvent();
  }
}
