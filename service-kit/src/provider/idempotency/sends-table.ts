import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { FastifyBaseLogger } from 'fastify';
import { batch, batchLookup } from '../../batcher.ts';
import type { Outcome, Provider } from '../../contract/notification.ts';
import { openLazily } from '../../open-lazily.ts';
import { DatabaseError } from '../../postgres/database-error.ts';
import { explainDatabaseError } from '../../postgres/explain-database-error.ts';
import { openDatabase } from '../../postgres/open-database.ts';
import { rowsOf } from '../../postgres/rows.ts';
import { schema } from './schema.ts';
import { lifetimeMs } from './store.ts';

/** For how long a replica counts as running after its last sign of life. */
const leaseMs = 15_000;

const purgedAtATime = 1000;

/** A send that has begun, or was cancelled before. */
export interface KnownSend {
  key: string;
  /** null if it was cancelled. */
  digest: string | null;
  /** null while it runs. */
  outcome: Outcome | null;
  age_ms: number;
}

export type SendsTable = ReturnType<typeof openSendsTable>;

/**
 * The sends of one provider, in PostgreSQL. The table is created on its first use. Times are the database's own, so that
 * the clocks of its clients do not matter.
 *
 * All methods throw DatabaseError.
 */
export function openSendsTable(provider: Provider, url: string, log: FastifyBaseLogger) {
  const replica = { id: randomUUID(), name: `${provider} at ${hostname()}`, leaseMs };
  const database = openLazily(
    async () => {
      try {
        return await openDatabase(url, { schema, replica, log });
      } catch (error) {
        const why = explainDatabaseError(error, url, 'SENDS_DATABASE_URL');
        if (why) log.error(`the idempotency store cannot be opened; nothing is sent until it can: ${why}`);
        throw error;
      }
    },
    (why) => new DatabaseError(new Error(`the table of sends is ${why}`), false),
  );

  async function query<Row>(name: string, text: string, values: unknown[] = []): Promise<Row[]> {
    const { query } = database.opened ?? (await database.open());
    return query<Row>({ name, text, values });
  }

  const begun = rowsOf({ key: 'text', digest: 'text' }, 2);
  const ended = rowsOf({ key: 'text', outcome: 'jsonb' }, 2);

  return {
    /** Returns whether the key is new. */
    begin: batch(async (sends: { key: string; digest: string }[]) => {
      const rows = await query<{ key: string }>(
        'begin_sends',
        `INSERT INTO sends (provider, key, digest) SELECT $1, key, digest FROM ${begun.sql} ORDER BY key
         ON CONFLICT DO NOTHING RETURNING key`,
        [provider, ...begun.values(sends)],
      );
      const isNew = new Set(rows.map(({ key }) => key));
      return sends.map(({ key }) => isNew.has(key));
    }),

    end: batch(async (sends: { key: string; outcome: Outcome }[]) => {
      const rows = sends.map(({ key, outcome }) => ({ key, outcome: JSON.stringify(outcome) }));
      await query(
        'end_sends',
        `UPDATE sends SET outcome = given.outcome FROM ${ended.sql}
         WHERE sends.provider = $1 AND sends.key = ANY (${ended.parameter('key')}) AND sends.key = given.key`,
        [provider, ...ended.values(rows)],
      );
      return sends;
    }),

    /** Returns false if the send came before. */
    async cancel(key: string): Promise<boolean> {
      const isNew = await query(
        'cancel_send',
        'INSERT INTO sends (provider, key) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1',
        [provider, key],
      );
      return isNew.length > 0;
    },

    find: batchLookup(
      (keys) =>
        query<KnownSend>(
          'find_sends',
          `SELECT key, digest, outcome, extract(epoch FROM clock_timestamp() - begun_at)::float8 * 1000 AS age_ms
           FROM sends WHERE provider = $1 AND key = ANY ($2)`,
          [provider, keys],
        ),
      ({ key }) => key,
    ),

    /** Deletes some of the rows that are too old, and returns whether there may be more. */
    async purge(): Promise<boolean> {
      const purged = await query(
        'purge_sends',
        `DELETE FROM sends
         WHERE provider = $1 AND key = ANY (ARRAY (
           SELECT key FROM sends
           WHERE provider = $1 AND begun_at < now() - make_interval(secs => $2)
           ORDER BY begun_at LIMIT $3 FOR UPDATE SKIP LOCKED
         ))
         RETURNING 1`,
        [provider, lifetimeMs / 1000, purgedAtATime],
      );
      return purged.length === purgedAtATime;
    },

    /** How long every key that came has been recorded. */
    async completeForMs(): Promise<number> {
      const [since] = await query<{ ms: number }>(
        'complete_for',
        'SELECT extract(epoch FROM clock_timestamp() - max(at))::float8 * 1000 AS ms FROM sends_since',
      );
      return Math.min(Math.floor(since?.ms ?? 0), lifetimeMs);
    },

    /** Resolves if the database takes a durable write, which a standby does not. */
    async ready(): Promise<void> {
      await (database.opened ?? (await database.open())).check();
      await query('touch_schema', 'UPDATE schema_versions SET version = version WHERE owner = $1', [
        schema.owner,
      ]);
    },

    close: async () => database.opened?.close(),
  };
}
