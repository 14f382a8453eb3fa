import type { Connections } from './client-connections.ts';
import { freeDescriptors } from './descriptors.ts';
import type { Server } from './types.ts';

/** In ms. A connection that has just been opened or used is likely to bring a request, which would meet a reset. */
const shortestIdleMs = 100;

/** In ms, between two warnings. */
const warningIntervalMs = 60_000;

/**
 * Limits the connections of clients, so that the service keeps descriptors for those to other services and for its store:
 * - Of the descriptors that are free when it begins to listen, clients get a quarter, because a payment takes another one to each
 *   provider, and threads and files of the store are opened later. More connections are closed at once.
 * - While they have more than a sixth, the connections that have been idle for longest are closed. None is closed on which a request
 *   is being handled or is arriving.
 */
export function limitConnections(server: Server, connections: Connections): void {
  let limit = Number.POSITIVE_INFINITY;
  const closing = scheduleOnce(closeLongestIdle);
  const check = () => {
    if (connections.count() > limit) closing.schedule();
  };

  function closeLongestIdle(): void {
    const before = performance.now() - shortestIdleMs;
    let excess = connections.count() - limit;
    const idle = [...connections.all()].filter(({ handled }) => handled === 0);
    for (const { socket, idleSince, bytesRead } of idle.sort((a, b) => a.idleSince - b.idleSince)) {
      if (excess <= 0 || idleSince > before) break;
      if (socket.bytesRead > bytesRead) continue;
      socket.destroy();
      excess -= 1;
    }
    if (excess > 0 && idle.length > 0) closing.schedule();
  }

  server.server.once('listening', () => {
    const free = freeDescriptors();
    limit = Math.floor(free / 6);
    if (Number.isFinite(free)) server.server.maxConnections = Math.max(1, Math.floor(free / 4));
  });
  server.server.on('connection', check);
  server.onResponseClosed(check);
  warnOfDropped(server);
}

function warnOfDropped(server: Server): void {
  let warnedAt = Number.NEGATIVE_INFINITY;
  server.server.on('drop', () => {
    if (performance.now() - warnedAt < warningIntervalMs) return;
    warnedAt = performance.now();
    server.log.warn(
      { connections: server.server.maxConnections },
      'connections of clients are closed, because there are too few file descriptors: raise the limit (ulimit -n)',
    );
  });
}

/** Runs a task after a short while, and after what has arrived until then has been read: timers come before it, `setImmediate` after. */
function scheduleOnce(task: () => void) {
  let isScheduled = false;
  const run = () => {
    isScheduled = false;
    task();
  };
  return {
    schedule(): void {
      if (isScheduled) return;
      isScheduled = true;
      setTimeout(() => setImmediate(run), shortestIdleMs).unref();
    },
  };
}
