import { linger } from './linger.ts';
import { type RefusalOptions, refusal } from './refusal.ts';
import type { Server } from './types.ts';

/** From the start of a stop, in ms: most clients that are at work send their next request within it. */
const lingerMs = 1000;

/**
 * Once the server stops, new requests are refused, but for `/health/live`, until those being handled have ended; then it closes.
 * The last response of each connection closes it, and an idle connection may have one more within a second: a request that
 * crosses the stop would else meet a reset, and its client could not know whether it was handled.
 */
export function registerStop(server: Server, options: RefusalOptions): void {
  const stopping = new AbortController();
  server.decorate('stopping', stopping.signal);
  let handled = 0;
  const ended = Promise.withResolvers<void>();
  server.addHook('preClose', async () => {
    stopping.abort();
    const lingered = performance.now() + lingerMs;
    if (handled > 0) await ended.promise;
    await linger(server.server, lingered);
  });
  server.addHook('onRequest', (request, reply, done) => {
    if (stopping.signal.aborted) {
      if (request.routeOptions.url !== '/health/live') throw refusal('stopping', options);
      return done();
    }
    handled += 1;
    reply.raw.on('close', () => {
      handled -= 1;
      if (stopping.signal.aborted && handled === 0) ended.resolve();
    });
    done();
  });
}
