import { Readable } from 'node:stream';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import type { Visibility } from '../domain/visibility.ts';
import { snapshotSchema } from './snapshot.ts';
import type { SnapshotFeed } from './snapshot-feed.ts';

/** The limit of watchers, because each of them takes time from the payments. */
const maxWatchers = 100;

export function registerSnapshots(
  server: Server,
  feed: SnapshotFeed,
  { watchers }: Pick<Visibility, 'watchers'>,
): void {
  server.get(
    '/live/events',
    {
      config: { access: watchers },
      schema: {
        tags: ['live'],
        operationId: 'streamSnapshots',
        summary: 'Stream the state of the service as server-sent events',
        description:
          'Each event is a complete snapshot, so earlier events are not needed. There are at most two events a second, and at least one every 5 seconds.',
        response: {
          200: {
            description: 'Unnamed events, whose data is a snapshot in JSON',
            content: { 'text/event-stream': { schema: snapshotSchema } },
          },
          ...problemResponses(paymentProblems, 'too-many-watchers'),
        },
      },
    },
    async (_request, reply) => {
      if (feed.watchers() >= maxWatchers) throw paymentProblem('too-many-watchers');
      const end = new AbortController();
      reply.raw.once('close', () => end.abort());
      const { stopping } = server;
      const endWithServer = () => {
        end.abort();
        // Otherwise the stop would wait for a client that does not read.
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
