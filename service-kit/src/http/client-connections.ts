import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { freeDescriptors } from './descriptors.ts';
import type { Server } from './types.ts';

/** In ms. A connection that has just been opened or used is likely to bring a request, which would meet a reset. */
const shortestIdleMs = 100;

/** In ms, between two warnings. */
const warningIntervalMs = 60_000;

interface Connection {
  socket: Socket;
  /** The number of requests being handled: more than one if they are pipelined. */
  handled: number;
  /** A response says that no other one follows it. */
  isLast: boolean;
  /** A pipelined request must not lose its response to the one before it. */
  latest?: IncomingMessage;
  /** On the clock of `performance`. */
  idleSince: number;
  /** When it became idle. More have come since if a request is arriving. */
  bytesRead: number;
}

/**
 * Watches the connections of clients, so that the service keeps descriptors for those to other services and for its store:
 * - Of the descriptors that are free when it begins to listen, clients get half, because each payment takes another one to a
 *   provider. More connections are closed at once.
 * - While they have more than a third, the connections that have been idle for longest are closed. None is closed on which a request
 *   is being handled or is arriving.
 *
 * While the server stops, the last response of a connection closes it. No request that follows such a response is handled.
 */
export function registerClientConnections(server: Server): void {
  const connections = new WeakMap<Socket, Connection>();
  /** Idle for longest first. */
  const idle = new Set<Connection>();
  let open = 0;
  let limit = Number.POSITIVE_INFINITY;
  const closing = scheduleOnce(closeLongestIdle);

  function track(socket: Socket): Connection {
    const connection: Connection = { socket, handled: 0, isLast: false, idleSince: 0, bytesRead: 0 };
    connections.set(socket, connection);
    open += 1;
    socket.once('close', () => {
      open -= 1;
      idle.delete(connection);
    });
    rest(connection);
    return connection;
  }

  function rest(connection: Connection): void {
    connection.idleSince = performance.now();
    connection.bytesRead = connection.socket.bytesRead;
    idle.add(connection);
    if (open > limit) closing.schedule();
  }

  function closeLongestIdle(): void {
    const before = performance.now() - shortestIdleMs;
    let excess = open - limit;
    for (const { socket, idleSince, bytesRead } of idle) {
      if (excess <= 0 || idleSince > before) break;
      if (socket.bytesRead > bytesRead) continue;
      socket.destroy();
      excess -= 1;
    }
    if (excess > 0 && idle.size > 0) closing.schedule();
  }

  server.server.once('listening', () => {
    const free = freeDescriptors();
    limit = Math.floor(free / 3);
    if (Number.isFinite(free)) server.server.maxConnections = Math.max(1, Math.floor(free / 2));
  });
  server.server.on('connection', track);
  warnOfDropped(server);

  server.addHook('onRequest', ({ socket, raw: request }, { raw: response }, done) => {
    if (!(socket instanceof Socket)) return done(); // of `inject`
    // A server that listens on both addresses of localhost is two, and reports the connections of one.
    const connection = connections.get(socket) ?? track(socket);
    // A client that has pipelined it has to repeat it, so it must not be carried out (RFC 9112 section 9.6).
    if (connection.isLast) return;
    connection.latest = request;
    connection.handled += 1;
    idle.delete(connection);
    response.on('close', () => {
      connection.handled -= 1;
      if (connection.handled === 0 && !socket.destroyed) rest(connection);
    });
    done();
  });

  server.addHook('onSend', ({ socket, raw }, reply, payload, done) => {
    const connection = connections.get(socket);
    if (server.stopping.aborted && (connection?.latest ?? raw) === raw) reply.header('connection', 'close');
    if (connection && reply.getHeader('connection') === 'close') connection.isLast = true;
    done(null, payload);
  });
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
