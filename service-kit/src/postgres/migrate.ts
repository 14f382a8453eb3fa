import type pg from 'pg';
import { DatabaseError } from './database-error.ts';
import { checkSessions, openSession, type Session } from './session.ts';

/** An arbitrary number, unlikely to be locked by other programs in this database. */
const lock = 7_236_412_907;

const lockTimeoutMs = 10_000;

/**
 * Runs the pending migrations of one owner. However many processes start together, each migration runs once, because the others
 * wait for the lock.
 *
 * While replicas are upgraded one after another, the previous release runs on this schema, too, so a migration must not remove
 * what that one needs, and a schema newer than this release is no error. A released migration never changes.
 *
 * @throws DatabaseError
 */
export async function migratePostgres(
  url: string,
  owner: string,
  migrations: readonly string[],
): Promise<void> {
  // Not from the pool, whose statements have a timeout, because an index of many rows takes longer. The rest has timeouts, so
  // that neither a lock nor a silent server blocks it for ever: opening is retried.
  const settings = {
    lock_timeout: String(lockTimeoutMs),
    idle_in_transaction_session_timeout: String(2 * lockTimeoutMs),
  };
  try {
    await using session = await openSession(url, { settings });
    await checkPooler(session, url);
    const query = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      session.query<Row>({ text, values, query_timeout: 2 * lockTimeoutMs } as pg.QueryConfig);
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
    for (const migration of migrations.slice(version)) await session.query(migration);
    await query(
      `INSERT INTO schema_versions (owner, version) VALUES ($1, $2)
       ON CONFLICT (owner) DO UPDATE SET version = greatest(schema_versions.version, excluded.version)`,
      [owner, migrations.length],
    );
    await query('COMMIT');
  } catch (error) {
    throw error instanceof DatabaseError ? error : new DatabaseError(error, false);
  }
}

/** Before the first statement that counts on its session. */
async function checkPooler(session: Session, url: string): Promise<void> {
  await using other = await openSession(url);
  await checkSessions(session, other);
}
