import type pg from 'pg';
import { readMigrations } from '../migrations.ts';
import { DatabaseError } from './database-error.ts';
import {
  type Beside,
  besideStatement,
  ReleaseRefused,
  type Replica,
  readLowestAllowed,
  recordStatement,
  type Schema,
  whyRefused,
} from './schema.ts';
import { checkSessions, openSession, type Session } from './session.ts';

/** An arbitrary number, unlikely to be locked by other programs in this database. */
const lock = 7_236_412_907;

const lockTimeoutMs = 10_000;

/** The tables about all owners, made by whichever comes first. */
const shared: Schema = {
  owner: 'replicas',
  migrations: readMigrations(new URL('./migrations/', import.meta.url)),
  runsBeside: 0,
  sessions: [],
};

/** Runs a statement that has no limit but that of a silent server. */
type Query = <Row extends pg.QueryResultRow>(statement: {
  text: string;
  values?: unknown[];
}) => Promise<pg.QueryResult<Row>>;

/**
 * Runs the pending migrations of one owner, and records the replica that is to use its tables. However many processes start
 * together, each migration runs once, because the others wait for the lock.
 *
 * While replicas are upgraded one after another, the previous release runs on this schema, too, so a migration only adds, and
 * a schema newer than this release is no error. A released migration never changes. A release for which that does not hold says
 * so by `runsBeside`; it is refused until all older replicas have stopped, and older ones are refused from then on.
 *
 * @throws DatabaseError, such as a ReleaseRefused
 */
export async function migratePostgres(url: string, schema: Schema, replica?: Replica): Promise<void> {
  // Not from the pool, whose statements have a timeout, because an index of many rows takes longer. The rest has timeouts, so
  // that neither a lock nor a silent server blocks it for ever: opening is retried.
  const settings = {
    lock_timeout: String(lockTimeoutMs),
    idle_in_transaction_session_timeout: String(2 * lockTimeoutMs),
  };
  try {
    await using session = await openSession(url, { settings });
    await checkPooler(session, url);
    const query: Query = (statement) =>
      session.query({ ...statement, query_timeout: 2 * lockTimeoutMs } as pg.QueryConfig);
    await query({ text: 'BEGIN' });
    await query({ text: 'SELECT pg_advisory_xact_lock($1)', values: [lock] });
    await query({
      text: 'CREATE TABLE IF NOT EXISTS schema_versions (owner text PRIMARY KEY, version integer NOT NULL)',
    });
    await runMigrations(session, query, shared);
    await requireAllowed(query, schema);
    await runMigrations(session, query, schema);
    if (replica) await query(recordStatement(schema, replica));
    await query({ text: 'COMMIT' });
  } catch (error) {
    throw error instanceof DatabaseError ? error : new DatabaseError(error, false);
  }
}

async function runMigrations(
  session: Session,
  query: Query,
  { owner, migrations, runsBeside }: Schema,
): Promise<void> {
  const { rows } = await query<{ version: number }>({
    text: 'SELECT version FROM schema_versions WHERE owner = $1',
    values: [owner],
  });
  for (const migration of migrations.slice(rows[0]?.version ?? 0)) await session.query(migration);
  // Each release has the column: the first migration of the shared tables adds it.
  await query({
    text: `INSERT INTO schema_versions (owner, version, runs_beside) VALUES ($1, $2, $3)
      ON CONFLICT (owner) DO UPDATE SET
        version = greatest(schema_versions.version, excluded.version),
        runs_beside = greatest(schema_versions.runs_beside, excluded.runs_beside)`,
    values: [owner, migrations.length, runsBeside],
  });
}

/** Also deletes the records of replicas that ended without stopping. No other process does, so that no two wait for each other. */
async function requireAllowed(query: Query, schema: Schema): Promise<void> {
  await query({ text: 'DELETE FROM replicas WHERE expires_at <= clock_timestamp()' });
  const { rows } = await query<Beside>(besideStatement(schema));
  const reason = whyRefused(schema, await readLowestAllowed(query, schema), rows);
  if (reason) throw new ReleaseRefused(reason);
}

/** Before the first statement that counts on its session. */
async function checkPooler(session: Session, url: string): Promise<void> {
  await using other = await openSession(url);
  await checkSessions(session, other);
}
