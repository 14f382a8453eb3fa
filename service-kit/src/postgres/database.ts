import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyBaseLogger } from 'fastify';
import pg from 'pg';
import { DatabaseError } from './database-error.ts';
import { Session, sessionConfig } from './session.ts';

/** In ms. No longer, because the client of a payment waits for it. */
const statementTimeoutMs = 3000;

/** The server has become a standby. A new connection may find the primary. */
const readOnly = '25006';

/** Errors of a connection must not be logged with the ids of the request that opened it. */
const outsideOfRequests = AsyncLocalStorage.snapshot();

/** Few, because batches share a statement. */
const maxConnections = 8;

interface Statement {
  /** A statement with a name is prepared once for each connection. */
  name?: string;
  text: string;
  values?: unknown[];
}

export interface Database {
  /**
   * Runs a statement as a transaction of its own, and returns its rows once it is committed.
   *
   * @throws DatabaseError
   */
  query<Row>(statement: Statement): Promise<Row[]>;
  /** Waits for running statements. */
  close(): Promise<void>;
}

/**
 * A pool of connections to the database at the URL, with TLS if its `sslmode` demands it. It connects on first use, and again
 * when its connections are lost.
 */
export function createDatabase(url: string, log: FastifyBaseLogger): Database {
  const pool = new pg.Pool({
    // The server's own timeout comes first, unless it does not respond at all.
    ...sessionConfig(url, { queryTimeoutMs: statementTimeoutMs + 1000 }),
    Client: Session,
    max: maxConnections,
    statement_timeout: statementTimeoutMs,
    types: { getTypeParser },
  });
  pool.on('error', (error) => {
    outsideOfRequests(() =>
      log.warn({ err: new DatabaseError(error, false) }, 'a connection to the database was lost'),
    );
  });

  return {
    async query<Row>(statement: Statement) {
      const client = (await pool.connect().catch((error: unknown) => {
        throw new DatabaseError(error, false);
      })) as Session & pg.PoolClient;
      let broken: DatabaseError | undefined;
      const { lost } = client;
      try {
        if (lost) throw lost; // since it was connected, or taken from the pool
        return (await client.query(statement)).rows as Row[];
      } catch (error) {
        const failure = new DatabaseError(error, lost === undefined);
        if (client.lost || failure.isUncertain || failure.sqlState === readOnly) broken = failure;
        throw failure;
      } finally {
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}

/** The types of JSON: no amount of money exceeds 2^53-1, and a time is ISO 8601. */
const getTypeParser = ((oid: number, format?: 'text' | 'binary') => {
  if (oid === pg.types.builtins.INT8) return Number;
  if (oid === pg.types.builtins.TIMESTAMPTZ) return (text: string) => new Date(text).toISOString();
  return pg.types.getTypeParser(oid, format as 'text');
}) as typeof pg.types.getTypeParser;
