import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { DatabaseError } from './database-error.ts';
import { getTypeParser } from './types.ts';

const connectTimeoutMs = 3000;
const askTimeoutMs = 3000;
const keepAliveAfterMs = 10_000;

/** A server that is gone does not close the connection in return. */
const endTimeoutMs = 500;

/** Settings by name, as text. */
type Settings = Record<string, string>;

/**
 * What changes the meaning or the end of a statement, because a database and a role can have other defaults. It is set after
 * connecting, since PgBouncer refuses a startup message with it. `default_transaction_read_only` is the operator's, as a brake.
 */
const defaults: Settings = {
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  default_transaction_isolation: 'read committed',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  array_nulls: 'on',
  extra_float_digits: '1',
  transaction_timeout: '0',
};

/** A variable of the session by which a connection knows it. PostgreSQL takes any name with a dot. */
const token = 'paysms.session';

/** Leaves out what this version of PostgreSQL does not have. A commit is on disk, whatever the default. */
const setText = `
  SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS given (name, value)
  WHERE name = '${token}' OR current_setting(name, true) IS NOT NULL
  UNION ALL
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`;

interface SessionOptions {
  settings?: Settings;
  /** For a server that does not respond at all, in ms. */
  queryTimeoutMs?: number;
}

/**
 * A connection to PostgreSQL. It has a listener for errors from the beginning, because PostgreSQL can end a session at any moment,
 * also before its user could add one, and an error without a listener ends the process.
 */
export class Session extends pg.Client {
  /** Why the connection was lost. Statements would be refused without being sent. */
  lost: Error | undefined;
  /** It has run a statement of a pool before. */
  isReused = false;
  readonly #token: string = randomUUID();

  constructor(config: pg.ClientConfig = {}) {
    super(config);
    this.on('error', (error) => {
      this.lost ??= error;
    });
  }

  /** Sets what the defaults of the database must not decide. */
  async set(settings: Settings): Promise<void> {
    const all = { ...defaults, ...settings, [token]: this.#token };
    await this.ask(setText, [Object.keys(all), Object.values(all)]);
  }

  /** A statement about the session itself. */
  ask(text: string, values: string[][] = []): Promise<pg.QueryResult> {
    return this.query({ text, values, query_timeout: askTimeoutMs } as pg.QueryConfig);
  }

  /** Whether a statement runs in the session that `set` was for. */
  async isOwn(): Promise<boolean> {
    const { rows } = await this.ask(`SELECT current_setting('${token}', true) AS token`);
    return rows[0]?.token === this.#token;
  }

  override end(): Promise<void>;
  override end(done: (error: Error) => void): void;
  override end(done?: (error: Error) => void): Promise<void> | void {
    setTimeout(() => this.connection.stream.destroy(), endTimeoutMs).unref();
    return done ? super.end(done) : super.end();
  }

  /** Rolls back an open transaction. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/** What a connection to the database at the URL needs, with TLS if its `sslmode` demands it. */
export const sessionConfig = (url: string, { queryTimeoutMs }: SessionOptions = {}): pg.ClientConfig => ({
  connectionString: url,
  connectionTimeoutMillis: connectTimeoutMs,
  query_timeout: queryTimeoutMs,
  keepAlive: true,
  keepAliveInitialDelayMillis: keepAliveAfterMs,
  types: { getTypeParser },
});

/** Opens a connection that is not part of a pool. Its statements have no time limit unless one is given. */
export async function openSession(url: string, options: SessionOptions = {}): Promise<Session> {
  const session = new Session(sessionConfig(url, options));
  try {
    await session.connect();
    await session.set(options.settings ?? {});
    return session;
  } catch (error) {
    await session.end();
    throw error;
  }
}

/**
 * Checks that two connections have a session each. A pooler in transaction mode exchanges them between the statements, and with
 * them their settings, prepared statements and `LISTEN`. One connection holds a transaction, so that the other cannot use the
 * same session after it. Both must be `set`.
 *
 * @throws SessionsShared
 */
export async function checkSessions(one: Session, other: Session): Promise<void> {
  const areOwn = (await one.isOwn()) && (await isOwnInTransaction(other, one));
  if (!areOwn) throw new SessionsShared(new Error(notOwn), false);
}

/** The pooler before the database is not in session mode. */
export class SessionsShared extends DatabaseError {}

async function isOwnInTransaction(session: Session, beside: Session): Promise<boolean> {
  await session.ask('BEGIN');
  const areOwn = (await session.isOwn()) && (await beside.isOwn());
  await session.ask('ROLLBACK');
  return areOwn;
}

const notOwn =
  'connections share their sessions: the pooler before the database, such as PgBouncer, is not in session mode';
