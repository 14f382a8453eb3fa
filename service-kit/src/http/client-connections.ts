import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ResponseListener, Server } from './types.ts';

/** A connection of a client, and what is under way on it. */
export interface Connection {
  socket: Socket;
  /** The number of requests being handled: more than one if they are pipelined. */
  handled: number;
  /** The response to its latest request. No refusal may overtake it, and the stop must not close the connection before it. */
  latest: ServerResponse | undefined;
  /** A response says that no other one follows it. */
  isLast: boolean;
  /** What it has sent is not an HTTP request, and is refused. */
  isRefused: boolean;
  /** On the clock of `performance`. */
  idleSince: number;
  /** When it became idle. More have come since if a request is arriving. */
  bytesRead: number;
}

/** The open connections of clients. */
export interface Connections {
  of(socket: Socket): Connection;
  all(): Iterable<Connection>;
  count(): number;
  /** The number of requests being handled on all of them, and by `inject`. */
  handled: number;
}

export function createConnections(): Connections {
  const open = new Map<Socket, Connection>();

  function add(socket: Socket): Connection {
    const connection: Connection = {
      socket,
      handled: 0,
      latest: undefined,
      isLast: false,
      isRefused: false,
      idleSince: performance.now(),
      bytesRead: 0,
    };
    // A handler may end after its client has disconnected.
    if (socket.destroyed) return connection;
    open.set(socket, connection);
    socket.once('close', () => open.delete(socket));
    return connection;
  }

  return {
    // A server that listens on both addresses of localhost is two, and reports the connections of one.
    of: (socket) => open.get(socket) ?? add(socket),
    all: () => open.values(),
    count: () => open.size,
    handled: 0,
  };
}

/**
 * Notes requests on their connections, and serves none that follows the last response of one. While the server stops, the response
 * to the latest request of a connection is its last.
 *
 * Called before the other hooks, because it is the one that listens for the end of each response: `onResponseClosed` calls the
 * others, which costs less than a listener of each.
 */
export function registerConnections(server: Server, connections: Connections): void {
  const listeners: ResponseListener[] = [];
  server.decorate('onResponseClosed', (listener) => void listeners.push(listener));
  server.server.on('connection', (socket) => void connections.of(socket));

  server.addHook('onRequest', (request, reply, done) => {
    const connection = connectionOf(connections, request);
    connections.handled += 1;
    if (connection) connection.handled += 1;
    reply.raw.on('close', () => {
      connections.handled -= 1;
      if (connection) rest(connection);
      for (const listener of listeners) listener(request, reply);
    });
    // A client that has pipelined it has to repeat it, so it must not be carried out (RFC 9112 section 9.6).
    if (connection?.isLast) return;
    if (connection) connection.latest = reply.raw;
    done();
  });

  server.addHook('onSend', (request, reply, payload, done) => {
    const connection = connectionOf(connections, request);
    if (server.stopping.aborted && (connection?.latest ?? reply.raw) === reply.raw)
      reply.header('connection', 'close');
    if (connection && reply.getHeader('connection') === 'close') connection.isLast = true;
    done(null, payload);
  });
}

/** Notes the response to a request for which no hook is called. */
export function noteResponse(connections: Connections, request: FastifyRequest, reply: FastifyReply): void {
  const connection = connectionOf(connections, request);
  if (connection) connection.latest = reply.raw;
}

/** Undefined for `inject`. */
const connectionOf = (connections: Connections, { socket }: FastifyRequest): Connection | undefined =>
  socket instanceof Socket ? connections.of(socket) : undefined;

function rest(connection: Connection): void {
  connection.handled -= 1;
  if (connection.handled > 0) return;
  connection.idleSince = performance.now();
  connection.bytesRead = connection.socket.bytesRead;
}
