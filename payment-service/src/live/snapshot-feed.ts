import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Snapshot } from './snapshot.ts';

export interface SnapshotFeed {
  /** How many watch now. */
  watchers(): number;
  /**
   * Server-sent events: a snapshot at once, then one for each change, until the signal is aborted. A watcher that reads
   * slowly gets the newest when it comes to it, and never those between.
   */
  watch(signal: AbortSignal): AsyncGenerator<string>;
}

export interface SnapshotFeedOptions {
  take: () => Promise<Omit<Snapshot, 'at'>>;
  /** How often it looks whether something has changed, in ms. */
  intervalMs?: number;
  /** After this time without a change, in ms, the same comes again: a sign of life, for proxies as much as for people. */
  silenceMs?: number;
  log: FastifyBaseLogger;
}

/**
 * One look, one text, whatever the number of watchers; and none while nobody watches. It looks again and again, since in
 * a store that several processes share, nobody hears of what the others do.
 */
export function createSnapshotFeed({
  take,
  intervalMs = 500,
  silenceMs = 15_000,
  log,
}: SnapshotFeedOptions): SnapshotFeed {
  const watchers = new Set<{ wake: () => void }>();
  let isRunning = false;
  let newest: string | undefined;

  async function run(): Promise<void> {
    isRunning = true;
    let seen = '';
    let publishedAt = performance.now();
    while (watchers.size > 0) {
      const content = await take().then(JSON.stringify, (err) => {
        log.error({ err }, 'no snapshot could be taken');
        return seen;
      });
      if (content !== seen || (content && performance.now() - publishedAt >= silenceMs)) {
        seen = content;
        publishedAt = performance.now();
        newest = `data: {"at":"${new Date().toISOString()}",${content.slice(1)}\n\n`;
        for (const { wake } of watchers) wake();
      }
      await delay(intervalMs, undefined, { ref: false });
    }
    newest = undefined; // it would be old news to the next one
    isRunning = false;
  }

  async function* read(watcher: { wake: () => void }, signal: AbortSignal): AsyncGenerator<string> {
    let seen: string | undefined;
    while (!signal.aborted) {
      if (newest !== undefined && newest !== seen) {
        seen = newest;
        yield seen;
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
