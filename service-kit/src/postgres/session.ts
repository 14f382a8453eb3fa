import pg from 'pg';

const connectTimeoutMs = 3000;
const keepAliveAfterMs = 10_000;

/** A server that is gone does not close the connection in return. */
const endTimeoutMs = 500;

interface SessionOptions {
  /** For a server that does not respond at all, in ms. */
  queryTimeoutMs?: number;
}

/**
 * A connection to PostgreSQL. It has a listener for errors from the beginning, because PostgreSQL can end a session at any moment,
 * also before whoever asked for the connection could add one, and an error without a listener ends the process.
 */
export class Session extends pg.Client {
  /** Why the connection was lost. Statements would be refused without being sent. */
  lost: Error | undefined;

  constructor(config: pg.ClientConfig = {}) {
    super(config);
    this.on('error', (error) => {
      this.lost ??= error;
    });
  }

  override end(): Promise<void>;
  override end(done: (error: Error) => void): void;
  override end(done?: (error: Error) => void): Promise<void> | void {
    setTimeout(() => this.connection.stream.destroy(), endTimeoutMs).unref();
    return done ? super.end(done) : super.end();
  }
}

/** What a connection to the database at the URL needs, with TLS if its `sslmode` demands it. */
export const sessionConfig = (url: string, { queryTimeoutMs }: SessionOptions = {}): pg.ClientConfig => ({
  connectionString: url,
  connectionTimeoutMillis: connectTimeoutMs,
  query_timeout: queryTimeoutMs,
  keepAlive: true,
  keepAliveInitialDelayMillis: keepAliveAfterMs,
});

/** Opens a connection that is not part of a pool. */
export async function openSession(url: string, options: SessionOptions = {}): Promise<Session> {
  const session = new Session(sessionConfig(url, options));
  try {
    await session.connect();
    return session;
  } catch (error) {
    await session.end();
    throw error;
  }
}
