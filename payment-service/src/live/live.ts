import type { FastifyBaseLogger } from 'fastify';
import type { Server } from 'service-kit/http/types.ts';
import { registerEvents } from './events-route.ts';
import { registerLivePageFiles } from './page-files.ts';
import type { RecentAttempts } from './recent-attempts.ts';
import type { Levers } from './sandbox-controls.ts';
import { registerSandboxLevers } from './sandbox-route.ts';
import { type SnapshotSources, takeSnapshot } from './snapshot.ts';
import { createSnapshotFeed } from './snapshot-feed.ts';

/** Somebody may have pulled the levers elsewhere. That is seen within this time. */
const leversAgeMs = 2000;

export interface LiveViewSources {
  recentAttempts: RecentAttempts;
  levers: Levers;
}

/** What the live page needs: its files, its events and its levers. It takes over the levers. */
export async function registerLiveView(
  server: Server,
  { log, ...sources }: SnapshotSources & LiveViewSources & { log: FastifyBaseLogger },
): Promise<void> {
  const { levers } = sources;
  let askedAt = Number.NEGATIVE_INFINITY;
  const feed = createSnapshotFeed({
    take: () => {
      if (performance.now() - askedAt >= leversAgeMs) {
        askedAt = performance.now();
        void levers.refresh(); // a provider service that hangs must not hold up what is known of the others
      }
      return takeSnapshot(sources);
    },
    log,
  });
  await registerLivePageFiles(server);
  registerEvents(server, feed);
  registerSandboxLevers(server, levers);
  server.addHook('onClose', levers.close);
}
