import type { FastifyBaseLogger } from 'fastify';
import type { Server } from 'service-kit/http/types.ts';
import type { Visibility } from '../domain/visibility.ts';
import { registerLivePageFiles } from './page-files.ts';
import type { RecentAttempts } from './recent-attempts.ts';
import type { SandboxControls } from './sandbox-controls.ts';
import { registerSandboxControls } from './sandbox-route.ts';
import { type SnapshotSources, takeSnapshot } from './snapshot.ts';
import { createSnapshotFeed } from './snapshot-feed.ts';
import { registerSnapshots } from './snapshots-route.ts';

/** The sandboxes can be changed through their own services, too, so their settings are read again after this time. */
const settingsMaxAgeMs = 2000;

export interface LiveViewSources {
  recentAttempts: RecentAttempts;
  sandboxControls: SandboxControls;
}

/** Registers the files, the snapshots and the sandbox controls of the live page. Closes the controls with the server. */
export async function registerLiveView(
  server: Server,
  {
    log,
    visibility,
    ...sources
  }: SnapshotSources & LiveViewSources & { log: FastifyBaseLogger; visibility: Visibility },
): Promise<void> {
  const { sandboxControls } = sources;
  let refreshedAt = Number.NEGATIVE_INFINITY;
  const feed = createSnapshotFeed({
    take: () => {
      if (performance.now() - refreshedAt >= settingsMaxAgeMs) {
        refreshedAt = performance.now();
        void sandboxControls.refresh(); // not awaited, because a provider service that hangs must not delay the snapshot
      }
      return takeSnapshot(sources);
    },
    log,
  });
  await registerLivePageFiles(server);
  registerSnapshots(server, feed, visibility);
  registerSandboxControls(server, sandboxControls);
  server.addHook('onClose', sandboxControls.close);
}
