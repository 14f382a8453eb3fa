import { AsyncLocalStorage } from 'node:async_hooks';
import { addAbortListener } from 'node:events';
import type { FastifyBaseLogger } from 'fastify';
import pg from 'pg';
import { withDeadline } from '../deadline.ts';
import { DatabaseError } from './database-error.ts';
import { checkSessions, Session, SessionsShared, sessionConfig } from './session.ts';

/** In ms. No longer, because the client of a payment waits for it. */
const statementTimeoutMs = 3000;

/** The server has become a standby, or is no longer the primary. */
const readOnly = '25006';

/**
 * The server is read-only; the session is another one, which lacks a prepared statement or has one already; the type of a column
 * has changed since a statement was prepared.
 */
const ofTheConnection = new Set([readOnly, '26000', '42P05', '0A000']);

/** Errors of a connection must not be logged with the ids of the request that opened it. */
const outsideOfRequests = AsyncLocalStorage.snapshot();

/** In ms. The server's own timeout comes first, unless it does not respond at all. */
const answerTimeoutMs = statementTimeoutMs + 1000;
const noAnswer = 'the database did not answer in time';

/**
 * The connections that were idle are no better: the network has lost them without a word, or their server is no longer the primary,
 * and its address has another one by now.
 */
const isOfAll = ({ message, sqlState }: DatabaseError) => message === noAnswer || sqlState === readOnly;

/** Few, because batches share a statement. */
const maxConnections = 8;

/**
 * A statement is planned once for each connection, perhaps while its tables are empty, and must not read a whole table when they
 * have grown: it names the keys of the rows it wants by `= ANY`, which an index finds, and all that would read more is off. The
 * statistics, which may be those of an empty table, then decide nothing. JIT would compile for the price of what is off.
 */
const planning = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_mergejoin: 'off',
  enable_sort: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
};

interface Statement {
  /** A statement with a name is prepared once for each connection. */
  name?: string;
  text: string;
  values?: unknown[];
  /** Ends the wait for a connection, and for the answer. */
  signal?: AbortSignal | undefined;
}

export interface Database {
  /**
   * Runs a statement as a transaction of its own, and returns its rows once it is committed.
   *
   * @throws DatabaseError, or the reason of its signal
   */
  query<Row>(statement: Statement): Promise<Row[]>;
  /**
   * Checks that the connections have sessions of their own. If they have not, all are replaced.
   *
   * @throws DatabaseError
   */
  check(): Promise<void>;
  /** Waits for running statements, but for none whose signal has ended the wait. */
  close(): Promise<void>;
}

/**
 * A pool of connections to the database at the URL. It connects on first use, and again when its connections are lost.
 */
export function createDatabase(url: string, log: FastifyBaseLogger): Database {
  let pool = createPool();
  const running = new Set<Promise<unknown>>();
  /** One check at a time, because each takes two connections. */
  let checking: Promise<void> | undefined;
  /** The last check found that connections share their sessions. */
  let areShared = false;

  function createPool(): pg.Pool {
    const created = new pg.Pool({
      ...sessionConfig(url),
      Client: Session,
      max: maxConnections,
      onConnect: (client) =>
        (client as Session).set({ ...planning, statement_timeout: String(statementTimeoutMs) }),
    });
    created.on('error', (error) => {
      outsideOfRequests(() =>
        log.warn({ err: new DatabaseError(error, false) }, 'a connection to the database was lost'),
      );
    });
    return created;
  }

  /** Replaces all connections. Statements that run keep theirs until they end. */
  function renew(from: pg.Pool): void {
    if (from !== pool || from.ending) return; // it has been replaced, or closed
    pool = createPool();
    void from.end();
  }

  /** Takes a connection of the new pool if that of this one did not come until it was replaced. */
  async function connect(): Promise<{ client: Session & pg.PoolClient; from: pg.Pool }> {
    const from = pool;
    try {
      return { client: (await from.connect()) as Session & pg.PoolClient, from };
    } catch (error) {
      if (from !== pool) return connect();
      throw new DatabaseError(error, false);
    }
  }

  async function use<T>(operation: (client: Session) => Promise<T>): Promise<T> {
    const { client, from } = await connect();
    const { lost, isReused } = client;
    client.isReused = true;
    let broken = false;
    try {
      if (lost) throw lost; // since it was connected, or taken from the pool
      return await operation(client);
    } catch (error) {
      const failure = error instanceof DatabaseError ? error : new DatabaseError(error, lost === undefined);
      broken = failure.isUncertain || ofTheConnection.has(failure.sqlState ?? '');
      if (isReused && isOfAll(failure)) renew(from);
      throw failure;
    } finally {
      client.release(broken || client.lost !== undefined || client.getTransactionStatus() !== 'I');
    }
  }

  /** All connections are replaced once more when sessions are no longer shared: the others of the pool may be of before. */
  async function checkTwo(): Promise<void> {
    const from = pool;
    const wereShared = areShared;
    try {
      await use((one) => use((other) => checkSessions(one, other)));
      areShared = false;
    } catch (error) {
      areShared = error instanceof SessionsShared;
      throw error;
    } finally {
      if (wereShared || areShared) renew(from);
    }
  }

  /** Until the work has ended `close` waits for it. */
  function run<T>(work: Promise<T>): Promise<T> {
    running.add(work);
    const done = () => void running.delete(work);
    work.then(done, done);
    return work;
  }

  return {
    query: <Row>({ signal, ...statement }: Statement) =>
      run(
        unlessAborted(
          signal,
          use(async (client) => {
            // Not pg's query_timeout, which expires before an answer is read that came while this process was paused.
            const { rows } = await withDeadline(answerTimeoutMs, client.query(statement), () => {
              throw new Error(noAnswer);
            });
            return rows as Row[];
          }),
        ),
      ),

    check() {
      checking ??= run(checkTwo()).finally(() => {
        checking = undefined;
      });
      return checking;
    },

    async close() {
      // Its end also waits for connections that are being opened, and for statements that are no longer waited for.
      void pool.end();
      await Promise.allSettled(running);
    },
  };
}

async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  using _listener = addAbortListener(signal, () => reject(signal.reason));
  return await Promise.race([work, aborted]);
}
