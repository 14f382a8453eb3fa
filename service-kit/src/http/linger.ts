import type { Server as HttpServer } from 'node:http';
import { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** In ms. A stop is delayed by this much at most once its last connection has been closed. */
const intervalMs = 10;

/**
 * Refuses new connections, and lets the open ones live until their clients close them or a time on the clock of `performance`
 * has come. The server's own `close` would reset those that are idle. Without an open connection it returns at once.
 */
export async function linger(server: HttpServer, until: number): Promise<void> {
  if (!server.listening) return;
  Server.prototype.close.call(server);
  const connections = promisify(server.getConnections.bind(server));
  while (performance.now() < until && (await connections()) > 0) await delay(intervalMs);
}
