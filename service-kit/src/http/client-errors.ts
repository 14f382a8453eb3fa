import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection, Connections } from './client-connections.ts';
import { httpProblem } from './http-problems.ts';
import { type Problem, problemContentType } from './problem.ts';

/** In ms. How long a client may take to read a refusal and to hang up. */
const readingTimeMs = 1000;

/** Refuses CONNECT, for which Node.js would close the connection. */
export function refuseConnect(server: HttpServer, connections: Connections): void {
  server.on('connect', (_request, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    const problem = httpProblem('method-not-allowed', {
      detail: 'This server is not a proxy.',
      headers: { allow: '' },
    });
    refuseInTurn(connections.of(socket), problem);
  });
}

/**
 * For input that is not an HTTP request, or that does not arrive: 400, 408 or 431. It answers the request whose body is wrong, or
 * else comes after the responses to earlier requests, because the client would take it for one of them.
 */
export const createClientErrorHandler =
  (connections: Connections) =>
  (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const connection = connections.of(socket);
    if (connection.isRefused) return;
    // It has hung up within a request, which may stand behind a stream of events that never ends.
    if (error.code === 'HPE_INVALID_EOF_STATE') destroySoon(socket);
    refuseInTurn(connection, problemOf(error));
  };

function problemOf({ code }: { code?: string }): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return httpProblem('headers-too-large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return httpProblem('request-timeout');
  return httpProblem('malformed-request', { detail: 'This is not a valid HTTP request.' });
}

function refuseInTurn(connection: Connection, problem: Problem): void {
  connection.isRefused = true;
  const { socket, latest: response } = connection;
  // A request that has not arrived whole needs no second response.
  const end = () => (response?.req.complete === false ? socket.destroySoon() : refuse(socket, problem));
  if (!response || response.closed) end();
  else {
    response.once('close', end);
    if (!response.req.complete) failBody(response.req, problem);
  }
}

/** Ends the wait for a body, so that the problem is the response to its request. */
function failBody(request: IncomingMessage, problem: Problem): void {
  if (request.listenerCount('error') > 0) request.emit('error', problem);
  // The wait has not begun while a hook runs. It never begins for a route that takes no body.
  else request.once('newListener', () => process.nextTick(failBody, request, problem));
}

function refuse(socket: Socket, { status, document, headers }: Problem): void {
  if (!socket.writable) return;
  const body = JSON.stringify(document);
  const fields = Object.entries({
    'Content-Type': problemContentType,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${document.title}`, ...fields, '', body].join('\r\n'));
  socket.resume();
  destroySoon(socket);
}

/** Not by the timeout of the socket, which a client that goes on sending would defer for ever. */
function destroySoon(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), readingTimeMs);
  socket.once('close', () => clearTimeout(timer));
}
