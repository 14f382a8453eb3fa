import type { FastifyBaseLogger } from 'fastify';
import { createDatabase, type Database } from './database.ts';
import { migratePostgres } from './migrate.ts';
import {
  type Beside,
  besideStatement,
  type Replica,
  recordStatement,
  removalStatement,
  type Schema,
  writeBeside,
} from './schema.ts';

/** Of the whole removal, with its connection. */
const removalTimeoutMs = 500;

interface OpenDatabaseOptions {
  schema: Schema;
  replica: Replica;
  log: FastifyBaseLogger;
}

/**
 * Migrates the database, and opens it for this replica, which is recorded there until the database is closed.
 *
 * @throws DatabaseError
 */
export async function openDatabase(url: string, options: OpenDatabaseOptions): Promise<Database> {
  const { schema, replica, log } = options;
  await migratePostgres(url, schema, replica);
  const database = createDatabase(url, log);
  const stopping = new AbortController();
  renewRecord(database, options, stopping.signal);
  return {
    ...database,
    async close() {
      stopping.abort();
      // A stop waits for no database that is down; the record expires there.
      const signal = AbortSignal.timeout(removalTimeoutMs);
      await database.query({ ...removalStatement(schema, replica), signal }).catch(() => {});
      await database.close();
    },
  };
}

/** Renews the record three times a lease, and logs when replicas of another release run beside this one, and when no longer. */
function renewRecord(
  database: Database,
  { schema, replica, log }: OpenDatabaseOptions,
  signal: AbortSignal,
): void {
  let logged = '';
  let isFailing = false;

  async function renew(): Promise<void> {
    try {
      await database.query({ ...recordStatement(schema, replica), signal });
      const all = await database.query<Beside>({ ...besideStatement(schema), signal });
      report(all.filter(({ schema_version }) => schema_version !== schema.migrations.length));
      isFailing = false;
    } catch (err) {
      if (signal.aborted) return;
      if (!isFailing) log.warn({ err }, 'the record of this replica cannot be renewed in the database');
      isFailing = true;
    }
  }

  function report(others: Beside[]): void {
    const beside = writeBeside(others);
    if (beside === logged) return;
    logged = beside;
    const version = schema.migrations.length;
    if (beside)
      log.info({ schema_version: version, beside }, 'replicas of another release use the same database');
    else log.info({ schema_version: version }, 'all replicas have the schema version of this release');
  }

  const renewing = setInterval(renew, replica.leaseMs / 3).unref();
  signal.addEventListener('abort', () => clearInterval(renewing));
}
