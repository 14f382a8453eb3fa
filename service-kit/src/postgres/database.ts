import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyBaseLogger } from 'fastify';
import pg from 'pg';
import { DatabaseError } from './database-error.ts';

/** Neither a statement nor a connection is waited for longer, in ms: whoever pays waits, too. */
const statementTimeoutMs = 3000;
const connectTimeoutMs = 3000;

/** A server that has become a standby: another one takes writes, and a new connection may find it. */
const readOnly = '25006';

/** A connection was made for some request, whose ids are not those of what befalls it later. */
const outsideOfRequests = AsyncLocalStorage.snapshot();

/** Few: what arrives together shares a statement. */
const maxConnections = 8;

export interface Statement {
  /** Statements with a name are prepared, once for each connection. */
  name?: string;
  text: string;
  values?: unknown[];
}

export interface Database {
  /**
   * Runs a statement, which is a transaction of its own, and returns its rows. Resolves when it is committed.
   *
   * @throws DatabaseError
   */
  query<Row>(statement: Statement): Promise<Row[]>;
  /** Waits for the statements that are under way. */
  close(): Promise<void>;
}

/**
 * A pool of connections to the database at the URL, with TLS if its `sslmode` says so. It connects when it is asked, and
 * again after whatever has happened to its connections.
 */
export function createDatabase(url: string, log: FastifyBaseLogger): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // For when the server does not answer at all; else it has said so itself before.
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
      // A client emits its errors beside rejecting the statement; without a listener they would end the process.
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

/** As JSON has them: no amount of money is more than 2^53-1, and a time is ISO 8601. */
const getTypeParser = ((oid: number, format?: 'text' | 'binary') => {
  if (oid === pg.types.builtins.INT8) return Number;
  if (oid === pg.types.builtins.TIMESTAMPTZ) return (text: string) => new Date(text).toISOString();
  return pg.types.getTypeParser(oid, format as 'text');
}) as typeof pg.types.getTypeParser;
