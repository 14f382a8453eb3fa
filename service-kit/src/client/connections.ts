import type { LookupFunction } from 'node:net';
import { buildConnector, Pool } from 'undici';
import { type ConnectError, connectErrorOf } from './connect-error.ts';
import { longestBody as longestBodyByDefault } from './content-encoding.ts';
import { buildTunnelConnector, type HttpProxy } from './tunnel.ts';

/**
 * How long a connection is kept without a request, in ms, whatever the server's Keep-Alive promises. A server may close an idle one
 * after a second, and a send that crosses with that is lost with an unknown outcome. A round trip of up to 200 ms is allowed for: at
 * 40 ms, as many sends were lost with 1000 ms here as with 4000, about a third, and with less none.
 */
const idleMs = 800;
const roundTripMs = 200;

/** The part of the deadline after which a tunnel is given up, a little before the call is, so that the outcome names the proxy. */
const tunnelShare = 0.9;

interface ConnectionsOptions {
  /** The origin. */
  origin: string;
  /** The limit of connections. */
  limit: number;
  connectTimeoutMs: number;
  /** The limit of the body of an answer in bytes. */
  longestBody?: number | undefined;
  /** Resolves names for connections without a proxy; the system's by default. */
  lookup?: LookupFunction | undefined;
  /** The proxy through which all connections are opened; none by default. */
  proxy?: HttpProxy | undefined;
  /** Called with each connection that cannot be opened. */
  onConnectError(error: ConnectError): void;
}

export interface Connections {
  /** The pool of new calls. */
  readonly pool: Pool;
  /** Whether the request that starts right now is the one for which its connection was opened; read by its onRequestStart. */
  readonly isOpening: boolean;
  /**
   * Gives new calls connections of their own after a call of this pool got no answer on a connection that had worked before: its
   * network path may have been cut without a FIN, and with it every idle connection of the pool. Calls that are under way keep
   * theirs. No call of a renewed pool renews again, and no call of the new one expires sooner than its deadline, so that there is
   * at most one renewal a deadline.
   */
  renew(pool: Pool): void;
  /** Ends the calls that are under way, too. */
  close(): Promise<void>;
}

export function openConnections(options: ConnectionsOptions): Connections {
  const { origin, limit, connectTimeoutMs, lookup, proxy, onConnectError } = options;
  const { longestBody = longestBodyByDefault } = options;
  // HTTP/1.1 alone: with one request a connection it is certain whether this one was written before it broke.
  const connect = proxy
    ? buildTunnelConnector(proxy, connectTimeoutMs * tunnelShare)
    : buildConnector({ timeout: connectTimeoutMs, allowH2: false, ...(lookup && { lookup }) });
  let isOpening = false;

  function openPool(): Pool {
    return new Pool(origin, {
      connections: limit,
      // undici starts the request of a new connection within this callback, and all others outside of it. It reports the
      // connection of a request only to diagnostics channels, which are the process's.
      connect: (options, callback) =>
        connect(options, (error, socket) => {
          if (error) return callback(failureOf(error), null);
          isOpening = true;
          callback(null, socket);
          isOpening = false;
        }),
      allowH2: false,
      headersTimeout: 0, // the deadline of the call covers these; undici's timers are coarse
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      keepAliveTimeoutThreshold: roundTripMs,
      maxResponseSize: longestBody,
    });
  }

  function failureOf(error: Error): ConnectError {
    const failure = connectErrorOf(error);
    onConnectError(failure);
    return failure;
  }

  let pool = openPool();
  const renewed = new Set<Pool>();

  return {
    get pool() {
      return pool;
    },
    get isOpening() {
      return isOpening;
    },
    renew(old) {
      if (old !== pool) return;
      pool = openPool();
      renewed.add(old);
      void old.close().then(() => renewed.delete(old));
    },
    // Not close(), which would wait for checks; all sends have ended when the app closes.
    async close() {
      await Promise.all([pool, ...renewed].map((each) => each.destroy()));
    },
  };
}
