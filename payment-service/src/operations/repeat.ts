import type { FastifyBaseLogger } from 'fastify';
import { StoreUnavailable } from '../store/store.ts';

/**
 * Does the work every so often, and not again before it has ended. An outage of the store passes by itself; another error is
 * logged, once for as long as it stays the same.
 */
export function repeat(
  work: () => Promise<void>,
  everyMs: number,
  log: FastifyBaseLogger,
): { stop(): Promise<void> } {
  let running: Promise<void> | undefined;
  let logged: string | undefined;

  function logFailure(error: Error): void {
    if (error instanceof StoreUnavailable && error.isOutage) return;
    if (error.message !== logged) log.error({ err: error }, 'the work in the background failed');
    logged = error.message;
  }

  const timer = setInterval(() => {
    running ??= work()
      .catch(logFailure)
      .finally(() => {
        running = undefined;
      });
  }, everyMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
