import pg from 'pg';
import { DatabaseError } from './database-error.ts';

/** Any number that nobody else is likely to lock in this database. */
const lock = 7_236_412_907;

const lockTimeoutMs = 10_000;

/**
 * Brings the tables of one owner up to date. However many processes start together, each migration runs once: the others
 * wait for the lock, and find nothing left to do.
 *
 * While replicas are upgraded one after the other, the release before runs on this schema, too: a migration leaves what
 * that one needs. So a schema that is newer than this release is no error. A migration that was released never changes.
 *
 * @throws DatabaseError
 */
export async function migratePostgres(
  url: string,
  owner: string,
  migrations: readonly string[],
): Promise<void> {
  // Not of the pool, whose statements have a time limit: an index of many rows takes longer. Everything else has one, so that
  // neither another one's lock nor a server that falls silent is waited for without end: whoever opens a store tries again.
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 3000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: 2 * lockTimeoutMs,
  });
  const query = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    client.query<Row>({ text, values, query_timeout: 2 * lockTimeoutMs } as pg.QueryConfig);
  client.on('error', () => {}); // the statement that it befalls rejects
  try {
    await client.connect();
    await query('BEGIN');
    await query('SELECT pg_advisory_xact_lock($1)', [lock]);
    await query(
      'CREATE TABLE IF NOT EXISTS schema_versions (owner text PRIMARY KEY, version integer NOT NULL)',
    );
    const { rows } = await query<{ version: number }>(
      'SELECT version FROM schema_versions WHERE owner = $1',
      [owner],
    );
    const version = rows[0]?.version ?? 0;
    for (const migration of migrations.slice(version)) await client.query(migration);
    await query(
      `INSERT INTO schema_versions (owner, version) VALUES ($1, $2)
       ON CONFLICT (owner) DO UPDATE SET version = greatest(schema_versions.version, excluded.version)`,
      [owner, migrations.length],
    );
    await query('COMMIT');
  } catch (error) {
    throw new DatabaseError(error, false);
  } finally {
    await client.end().catch(() => {}); // it ends the transaction, if there still is one
  }
}
