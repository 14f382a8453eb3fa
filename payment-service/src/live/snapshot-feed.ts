import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Snapshot } from './snapshot.ts';

export interface SnapshotFeed {
  /** The number of watchers. */
  watchers(): number;
  /**
   * Server-sent events: a snapshot at once, then one for each change, until the signal is aborted. A slow reader gets the newest
   * snapshot only, because those between are dropped.
   */
  watch(signal: AbortSignal): AsyncGenerator<string>;
}

export interface SnapshotFeedOptions {
  take: () => Promise<Omit<Snapshot, 'at'>>;
  /** The interval between two snapshots, in ms. */
  intervalMs?: number;
  /** After this time without a change, in ms, the snapshot is sent again, so that neither proxies nor clients time out, and a page sees soon that it has lost the service. */
  silenceMs?: number;
  log: FastifyBaseLogger;
}

/**
 * Takes and serializes one snapshot for all watchers, and none without watchers. It polls, because other processes that share the
 * store change it, too.
 */
export function createSnapshotFeed({
  take,
  intervalMs = 500,
  silenceMs = 5000,
  log,
}: SnapshotFeedOptions): SnapshotFeed {
  const watchers = new Set<{ wake: () => void }>();
  let isRunning = false;
  let newest: string | undefined;

  async function run(): Promise<void> {
    isRunning = true;
    let published = '';
    let publishedAt = performance.now();
    while (watchers.size > 0) {
      const content = await take().then(JSON.stringify, (err) => {
        log.error({ err }, 'the snapshot for the live page could not be made');
        return undefined; // what was sent last is not repeated, because it may not be so any more
      });
      const isDue = content !== published || performance.now() - publishedAt >= silenceMs;
      if (content !== undefined && isDue) {
        published = content;
        publishedAt = performance.now();
        newest = `data: {"at":"${new Date().toISOString()}",${content.slice(1)}\n\n`;
        for (const { wake } of watchers) wake();
      }
      await delay(intervalMs, undefined, { ref: false });
    }
    newest = undefined; // outdated by the time of the next watcher
    isRunning = false;
  }

  async function* read(watcher: { wake: () => void }, signal: AbortSignal): AsyncGenerator<string> {
    let sent: string | undefined;
    while (!signal.aborted) {
      if (newest !== undefined && newest !== sent) {
        sent = newest;
        yield sent;
      } else {
        await new Promise<void>((resolve) => {
          watcher.wake = resolve;
        });
      }
    }
  }

  return {
    watchers: () => watchers.size,
    watch(signal) {
      const watcher = { wake: () => {} };
      watchers.add(watcher);
      signal.addEventListener(
        'abort',
        () => {
          watchers.delete(watcher);
          watcher.wake();
        },
        { once: true },
      );
      if (!isRunning) void run();
      return read(watcher, signal);
    },
  };
}
