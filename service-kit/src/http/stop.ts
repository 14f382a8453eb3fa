import type { Connections } from './client-connections.ts';
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
export function registerStop(server: Server, connections: Connections, options: RefusalOptions): void {
  const stopping = new AbortController();
  server.decorate('stopping', stopping.signal);
  const ended = Promise.withResolvers<void>();
  server.addHook('preClose', async () => {
    stopping.abort();
    const lingered = performance.now() + lingerMs;
    if (connections.handled > 0) await ended.promise;
    await linger(server.server, lingered);
  });
  server.onResponseClosed(() => {
    if (stopping.signal.aborted && connections.handled === 0) ended.resolve();
  });
  server.addHook('onRequest', (request, _reply, done) => {
    if (stopping.signal.aborted && request.routeOptions.url !== '/health/live')
      throw refusal('stopping', options);
    done();
  });
}
