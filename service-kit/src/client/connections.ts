import { buildConnector, Pool } from 'undici';
import { longestBody } from './content-encoding.ts';

/**
 * How long a connection is kept without a request, in ms, whatever the server's Keep-Alive promises. A server may close an idle one
 * after a second, and a send that crosses with that is lost with an unknown outcome. A round trip of up to 200 ms is allowed for: at
 * 40 ms, as many sends were lost with 1000 ms here as with 4000, about a third, and with less none.
 */
const idleMs = 800;
const roundTripMs = 200;

interface ConnectionsOptions {
  /** The origin. */
  origin: string;
  /** The limit of connections. */
  limit: number;
  connectTimeoutMs: number;
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

export function openConnections({ origin, limit, connectTimeoutMs }: ConnectionsOptions): Connections {
  // HTTP/1.1 alone: with one request a connection it is certain whether this one was written before it broke.
  const connect = buildConnector({ timeout: connectTimeoutMs, allowH2: false });
  let isOpening = false;

  function openPool(): Pool {
    return new Pool(origin, {
      connections: limit,
      // undici starts the request of a new connection within this callback, and all others outside of it. It reports the
      // connection of a request only to diagnostics channels, which are the process's.
      connect: (options, callback) =>
        connect(options, (...opened) => {
          isOpening = true;
          callback(...opened);
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
