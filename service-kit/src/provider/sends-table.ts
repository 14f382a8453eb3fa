import type { FastifyBaseLogger } from 'fastify';
import type { Outcome, Provider } from '../notification.ts';
import { batch } from '../postgres/batch.ts';
import { createDatabase } from '../postgres/database.ts';
import { migrate } from '../postgres/migrate.ts';
import { rowsOf } from '../postgres/rows.ts';
import { lifetimeMs } from './remembered-sends.ts';

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

/** A send that has begun, or was withdrawn before. */
export interface KnownSend {
  /** null if it was withdrawn. */
  digest: string | null;
  /** null while it runs. */
  outcome: Outcome | null;
  age_ms: number;
}

export type SendsTable = ReturnType<typeof openSendsTable>;

/**
 * The sends of one provider, in PostgreSQL. The table is made when it is first asked for. Times are the database's own: the
 * clocks of its clients do not matter.
 *
 * All of it throws DatabaseError.
 */
export function openSendsTable(provider: Provider, url: string, log: FastifyBaseLogger) {
  const database = createDatabase(url, log);

  let opening: Promise<void> | undefined;
  function open(): Promise<void> {
    opening ??= migrate(url, 'provider-services', migrations).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
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

    async find(key: string): Promise<KnownSend | undefined> {
      const [known] = await query<KnownSend>(
        'find_send',
        `SELECT digest, outcome, extract(epoch FROM clock_timestamp() - begun_at)::float8 * 1000 AS age_ms
         FROM sends WHERE provider = $1 AND key = $2`,
        [provider, key],
      );
      return known;
    },

    /** Says whether there are more to be forgotten. */
    async forgetOld(): Promise<boolean> {
      const forgotten = await query(
        'forget_sends',
        `DELETE FROM sends WHERE (provider, key) IN (
           SELECT provider, key FROM sends
           WHERE provider = $1 AND begun_at < clock_timestamp() - make_interval(secs => $2)
           ORDER BY begun_at LIMIT $3 FOR UPDATE SKIP LOCKED
         ) RETURNING 1`,
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
