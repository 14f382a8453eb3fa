import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyBaseLogger } from 'fastify';
import pg from 'pg';
import { DatabaseError } from './database-error.ts';

/** In ms. No longer, because the client of a payment waits for it. */
const statementTimeoutMs = 3000;
const connectTimeoutMs = 3000;

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
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // For a server that does not respond at all; otherwise its own timeout comes first.
    query_timeout: statementTimeoutMs + 1000,
    keepAlive: true,
    types: { getTypeParser },
  });
  pool.on('error', (error) => {
    outsideOfRequests(() =>
      log.warn({ err: new DatabaseError(error, false) }, 'a connection to the database was lost'),
    );
  });

  return {
    async query<Row>(statement: Statement) {
      const client = await pool.connect().catch((error: unknown) => {
        throw new DatabaseError(error, false);
      });
      let broken: DatabaseError | undefined;
      // pg also emits the error that rejects the statement; without a listener it would end the process.
      const onError = () => {};
      client.on('error', onError);
      try {
        return (await client.query(statement)).rows as Row[];
      } catch (error) {
        const failure = new DatabaseError(error, true);
        if (failure.isUncertain || failure.sqlState === readOnly) broken = failure;
        throw failure;
      } finally {
        client.off('error', onError);
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
