import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Outcome, Provider } from '../notification.ts';
import { batch, rowsOf } from '../postgres/batch.ts';
import { createDatabase } from '../postgres/database.ts';
import { DatabaseError } from '../postgres/database-error.ts';
import { migrate } from '../postgres/migrate.ts';
import type { Send } from './gateway.ts';
import { digestOf, keyReused, lifetimeMs, type RememberedSends, withdrawn } from './remembered-sends.ts';

/** How often it looks whether a send that runs in another replica has ended. */
const pollMs = 100;
/** No send takes so long: whoever made it is gone, and took with it what came of it. */
const staleMs = 60_000;
const sweepMs = 60_000;
const forgottenAtATime = 1000;

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

interface Row {
  digest: string | null;
  outcome: Outcome | null;
  age_ms: number;
}

interface Sent {
  outcome: Outcome;
  /** Else another replica has sent it, or nobody. */
  isOurs: boolean;
}

const reason = 'memory_unavailable';

export interface SharedSendsOptions {
  provider: Provider;
  url: string;
  send: (send: Send) => Promise<Outcome>;
  log: FastifyBaseLogger;
}

/**
 * The sends of all replicas of a provider service, in one database: whichever is asked, the same key gets the same answer,
 * and over restarts, too. To route a key to always the same replica would not do: where one is gone, another one would say
 * of what it has never heard that it was never sent.
 *
 * A key is on disk before its SMS is sent; while that can not be, nothing is sent. What came of it is put down afterwards.
 */
export function createSharedSends({ provider, url, send, log }: SharedSendsOptions): RememberedSends {
  const database = createDatabase(url, log);
  const closing = new AbortController();
  /** What this replica sends. It is done when what came of it is put down, too. */
  const underWay = new Map<string, { digest: string; outcome: Promise<Outcome>; done: Promise<void> }>();

  let opening: Promise<void> | undefined;
  function open(): Promise<void> {
    opening ??= migrate(url, 'provider-services', migrations).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  async function query<Row>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    await open();
    return database.query<Row>({ name, text, values: [provider, ...values] });
  }

  const begun = rowsOf({ key: 'text', digest: 'text' }, 2);
  const begin = batch(async (sends: { key: string; digest: string }[]) => {
    const rows = await query<{ key: string }>(
      'begin_sends',
      `INSERT INTO sends (provider, key, digest) SELECT $1, key, digest FROM ${begun.sql} ORDER BY key
       ON CONFLICT DO NOTHING RETURNING key`,
      begun.values(sends),
    );
    const isNew = new Set(rows.map(({ key }) => key));
    return sends.map(({ key }) => isNew.has(key));
  });

  const ended = rowsOf({ key: 'text', outcome: 'jsonb' }, 2);
  const end = batch(async (sends: { key: string; outcome: string }[]) => {
    await query(
      'end_sends',
      `UPDATE sends SET outcome = given.outcome FROM ${ended.sql}
       WHERE sends.provider = $1 AND sends.key = given.key`,
      ended.values(sends),
    );
    return sends;
  });

  async function sendOnce(request: Send, key: string, digest: string): Promise<Sent> {
    let isNew: boolean;
    try {
      isNew = await begin({ key, digest });
    } catch (err) {
      log.error({ err, idempotency_key: key }, 'a send could not be remembered, and is not made');
      return { outcome: { outcome: 'not_sent', reason, no_outage: true }, isOurs: false };
    }
    if (isNew) return { outcome: await send(request), isOurs: true };
    try {
      return { outcome: (await outcomeOf(key, digest)) ?? withdrawn, isOurs: false };
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { outcome: { outcome: 'unknown', reason }, isOurs: false };
    }
  }

  /** Tries until it is done: else nobody could ever say what came of it. */
  async function remember(key: string, outcome: Outcome): Promise<void> {
    do {
      try {
        await end({ key, outcome: JSON.stringify(outcome) });
        return;
      } catch (err) {
        log.warn({ err, idempotency_key: key }, 'an outcome could not be remembered yet');
        await delay(1000, undefined, { signal: closing.signal }).catch(() => {});
      }
    } while (!closing.signal.aborted);
  }

  /** What came of a send of any replica, once it has ended; undefined if it was withdrawn. */
  async function outcomeOf(key: string, digest?: string): Promise<Outcome | undefined> {
    for (;;) {
      const [row] = await query<Row>(
        'find_send',
        `SELECT digest, outcome, extract(epoch FROM clock_timestamp() - begun_at)::float8 * 1000 AS age_ms
         FROM sends WHERE provider = $1 AND key = $2`,
        [key],
      );
      if (row?.digest === null) return undefined;
      if (row && digest !== undefined && row.digest !== digest) throw keyReused();
      if (row?.outcome) return row.outcome;
      if (!row || row.age_ms > staleMs || closing.signal.aborted)
        return { outcome: 'unknown', reason: 'interrupted' };
      await delay(pollMs, undefined, { signal: closing.signal }).catch(() => {});
    }
  }

  async function sweep(): Promise<void> {
    let forgotten: unknown[];
    do {
      forgotten = await query(
        'forget_sends',
        `DELETE FROM sends WHERE (provider, key) IN (
           SELECT provider, key FROM sends
           WHERE provider = $1 AND begun_at < clock_timestamp() - make_interval(secs => $2)
           ORDER BY begun_at LIMIT $3 FOR UPDATE SKIP LOCKED
         ) RETURNING 1`,
        [lifetimeMs / 1000, forgottenAtATime],
      );
    } while (forgotten.length === forgottenAtATime && !closing.signal.aborted);
  }
  const sweeping = setInterval(() => {
    sweep().catch((err: unknown) => log.warn({ err }, 'old sends could not be forgotten'));
  }, sweepMs).unref();

  return {
    async send(request) {
      const { idempotency_key: key } = request;
      if (key === null) return send(request);
      const digest = digestOf(request);
      const here = underWay.get(key);
      if (here && here.digest !== digest) throw keyReused();
      if (here) return here.outcome;
      const sent = sendOnce(request, key, digest);
      const outcome = sent.then(({ outcome }) => outcome);
      const done = sent
        .then(({ outcome, isOurs }) => (isOurs ? remember(key, outcome) : undefined))
        .catch(() => {}) // whoever waits for the outcome is told
        .then(() => void underWay.delete(key));
      underWay.set(key, { digest, outcome, done });
      return outcome;
    },

    async withdraw(key) {
      const here = underWay.get(key);
      if (here) return here.outcome;
      const isNew = await query(
        'withdraw_send',
        'INSERT INTO sends (provider, key) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1',
        [key],
      );
      return isNew.length > 0 ? undefined : outcomeOf(key);
    },

    async completeForMs() {
      await open();
      const [row] = await database.query<{ ms: number }>({
        text: 'SELECT extract(epoch FROM clock_timestamp() - max(at))::float8 * 1000 AS ms FROM sends_since',
      });
      return Math.min(Math.floor(row?.ms ?? 0), lifetimeMs);
    },

    async ready() {
      await open();
      await database.query({ text: 'SELECT 1' });
    },

    async close() {
      clearInterval(sweeping);
      closing.abort();
      await Promise.all([...underWay.values()].map(({ done }) => done));
      await database.close();
    },
  };
}
