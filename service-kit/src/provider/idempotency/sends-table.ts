import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Outcome, Provider } from '../../contract/notification.ts';
import { batch, batchLookup } from '../../postgres/batch.ts';
import { createDatabase } from '../../postgres/database.ts';
import { DatabaseError } from '../../postgres/database-error.ts';
import { migratePostgres } from '../../postgres/migrate.ts';
import { rowsOf } from '../../postgres/rows.ts';
import { lifetimeMs } from './memory.ts';

const migrations = [
  `
  CREATE TABLE sends (
    provider text NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest text, -- null if it was withdrawn before it came
    outcome jsonb, -- null while it runs
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, key)
  );
  CREATE INDEX sends_by_age ON sends (begun_at);

  -- Of what came before there was this table nothing is known.
  CREATE TABLE sends_since (at timestamptz NOT NULL);
  INSERT INTO sends_since VALUES (clock_timestamp());
  `,
];

const forgottenAtATime = 1000;
const openTimeoutMs = 3000;

/** A send that has begun, or was withdrawn before. */
interface KnownSend {
  key: string;
  /** null if it was withdrawn. */
  digest: string | null;
  /** null while it runs. */
  outcome: Outcome | null;
  age_ms: number;
}

/**
 * The sends of one provider, in PostgreSQL. The table is made when it is first asked for. Times are the database's own: the
 * clocks of its clients do not matter.
 *
 * All of it throws DatabaseError.
 */
export function openSendsTable(provider: Provider, url: string, log: FastifyBaseLogger) {
  const database = createDatabase(url, log);

  let isOpen = false;
  let opening: Promise<void> | undefined;
  /** It may have to wait for another process's migration, and is not waited for without end. */
  async function open(): Promise<void> {
    if (isOpen) return;
    opening ??= migratePostgres(url, 'provider-services', migrations).then(
      () => {
        isOpen = true;
      },
      (error: unknown) => {
        opening = undefined;
        throw error;
      },
    );
    await Promise.race([opening, tooLate()]);
  }

  async function query<Row>(name: string, text: string, values: unknown[] = []): Promise<Row[]> {
    await open();
    return database.query<Row>({ name, text, values });
  }

  const begun = rowsOf({ key: 'text', digest: 'text' }, 2);
  const ended = rowsOf({ key: 'text', outcome: 'jsonb' }, 2);

  return {
    /** Says whether the key is new: then the send is the caller's to make. */
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
         WHERE sends.provider = $1 AND sends.key = given.key`,
        [provider, ...ended.values(rows)],
      );
      return sends;
    }),

    /** Says whether it came before the send. */
    async withdraw(key: string): Promise<boolean> {
      const isNew = await query(
        'withdraw_send',
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

    /** Says whether there are more to be forgotten. */
    async forgetOld(): Promise<boolean> {
      const forgotten = await query(
        'forget_sends',
        `WITH old AS MATERIALIZED (
           SELECT provider, key FROM sends
           WHERE provider = $1 AND begun_at < clock_timestamp() - make_interval(secs => $2)
           ORDER BY begun_at LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         DELETE FROM sends USING old WHERE sends.provider = old.provider AND sends.key = old.key RETURNING 1`,
        [provider, lifetimeMs / 1000, forgottenAtATime],
      );
      return forgotten.length === forgottenAtATime;
    },

    /** For how long it has had every key that came. */
    async completeForMs(): Promise<number> {
      const [since] = await query<{ ms: number }>(
        'complete_for',
        'SELECT extract(epoch FROM clock_timestamp() - max(at))::float8 * 1000 AS ms FROM sends_since',
      );
      return Math.min(Math.floor(since?.ms ?? 0), lifetimeMs);
    },

    async ready(): Promise<void> {
      await query('ready', 'SELECT 1');
    },

    close: database.close,
  };
}

async function tooLate(): Promise<never> {
  await delay(openTimeoutMs, undefined, { ref: false });
  throw new DatabaseError(new Error('the table of sends is still being opened'), false);
}
