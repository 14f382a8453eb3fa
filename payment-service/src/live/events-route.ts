import { Readable } from 'node:stream';
import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { snapshotSchema } from './snapshot.ts';
import type { SnapshotFeed } from './snapshot-feed.ts';

/** More watchers than this would cost the payments too much. */
const maxWatchers = 100;

export function registerEvents(server: Server, feed: SnapshotFeed): void {
  server.get(
    '/events',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['live'],
        summary: 'What happens, as server-sent events',
        description:
          'Each event is a whole snapshot, at most two in a second, and at least one in 15 seconds: nothing of what came before is needed to read it.',
        response: {
          200: {
            description: 'Events without a name, whose data is a snapshot as JSON',
            content: { 'text/event-stream': { schema: snapshotSchema } },
          },
          503: problemResponse('As many watch as can be; see Retry-After'),
        },
      },
    },
    async (_request, reply) => {
      if (feed.watchers() >= maxWatchers) {
        throw new Problem(503, 'too-many-watchers', 'As many watch as can be. Ask again later.', {
          headers: { 'retry-after': '10' },
        });
      }
      const end = new AbortController();
      reply.raw.once('close', () => end.abort());
      const { stopping } = server;
      const endWithServer = () => {
        end.abort();
        // The last of it would wait for a reader that does not read, and the stop with it.
        if (reply.raw.writableNeedDrain) reply.raw.destroy();
      };
      stopping.addEventListener('abort', endWithServer);
      end.signal.addEventListener('abort', () => stopping.removeEventListener('abort', endWithServer));
      return reply
        .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
        .type('text/event-stream')
        .send(Readable.from(feed.watch(end.signal)) as never);
    },
  );
}
