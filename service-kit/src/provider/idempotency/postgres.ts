import type { FastifyBaseLogger } from 'fastify';
import type { Outcome, Provider } from '../../contract/notification.ts';
import { withDeadline } from '../../deadline.ts';
import { httpProblem } from '../../http/http-problems.ts';
import { DatabaseError } from '../../postgres/database-error.ts';
import type { Send } from '../gateway.ts';
import { openSendsTable } from './sends-table.ts';
import { createSharedOutcomes } from './shared-outcomes.ts';
import { digestOf, type IdempotencyStore, withdrawn } from './store.ts';

const purgeEveryMs = 60_000;

export interface PostgresIdempotencyStoreOptions {
  provider: Provider;
  url: string;
  /** The deadline of a request, in ms. */
  timeoutMs: number;
  send: (send: Send) => Promise<Outcome>;
  log: FastifyBaseLogger;
}

interface Sent {
  outcome: Outcome;
  /** The outcome is this replica's to record. */
  isOurs: boolean | Promise<boolean>;
}

/** A send of this replica. It is done when its outcome is recorded, too. */
interface RunningSend {
  digest: string;
  outcome: Promise<Outcome>;
  done: Promise<void>;
}

const storeUnavailable = {
  outcome: 'not_sent',
  reason: 'memory_unavailable',
  no_outage: true,
} satisfies Outcome;

/**
 * One store for all replicas of a provider service: each of them returns the same outcome for a key, over restarts, too.
 * Routing a key to always the same replica would not do, because another one would replace it when it is gone, and report
 * as never sent what it does not know.
 *
 * A key is on disk before its SMS is sent; if it cannot be recorded within half the deadline, nothing is sent, now or later. The
 * outcome is recorded afterwards.
 */
export function createPostgresIdempotencyStore(options: PostgresIdempotencyStoreOptions): IdempotencyStore {
  const { provider, url, timeoutMs, send, log } = options;
  const table = openSendsTable(provider, url, log);
  /** The rest is the send's: with less, it would often end as unknown, and be sent by the other provider, too. */
  const keyTimeoutMs = timeoutMs / 2;
  const closing = new AbortController();
  const outcomes = createSharedOutcomes({ table, timeoutMs, closing: closing.signal, log });
  const running = new Map<string, RunningSend>();

  async function sendOnce(request: Send, key: string, digest: string): Promise<Sent> {
    const begun = performance.now();
    const recording = table.begin({ key, digest });
    let isNew: boolean | undefined;
    try {
      isNew = await withDeadline<boolean | undefined>(keyTimeoutMs, recording, () => undefined);
    } catch (err) {
      log.error(
        { err, idempotency_key: key },
        'the key of a send could not be recorded; the SMS is not sent',
      );
      return { outcome: storeUnavailable, isOurs: false };
    }
    if (isNew === false) return { outcome: await outcomeElsewhere(key, digest), isOurs: false };
    // Not sent any more: the other provider may send it at once. The key may still be recorded later.
    if (isNew === undefined || performance.now() - begun > keyTimeoutMs)
      return { outcome: storeUnavailable, isOurs: recording.catch(() => false) };
    return { outcome: await send(request), isOurs: true };
  }

  async function outcomeElsewhere(key: string, digest: string): Promise<Outcome> {
    try {
      return (await outcomes.find(key, digest)) ?? withdrawn;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { outcome: 'unknown', reason: 'outcome_unavailable' };
    }
  }

  function start(request: Send, key: string, digest: string): RunningSend {
    const sent = sendOnce(request, key, digest);
    const outcome = sent.then(({ outcome }) => outcome);
    const done = sent
      .then(async ({ outcome, isOurs }) => ((await isOurs) ? outcomes.record(key, outcome) : undefined))
      .catch(() => {}) // `outcome` rejects with it, too
      .then(() => void running.delete(key));
    return { digest, outcome, done };
  }

  async function purge(): Promise<void> {
    try {
      while (!closing.signal.aborted && (await table.purge()));
    } catch (err) {
      log.warn({ err }, 'old idempotency keys could not be deleted');
    }
  }
  const purging = setInterval(purge, purgeEveryMs).unref();

  return {
    async send(request) {
      const { idempotency_key: key } = request;
      if (key === null) return send(request);
      const digest = digestOf(request);
      const known = running.get(key);
      if (known && known.digest !== digest) throw httpProblem('idempotency-key-reused');
      if (known) return known.outcome;
      const started = start(request, key, digest);
      running.set(key, started);
      return started.outcome;
    },

    async cancel(key) {
      const known = running.get(key);
      if (known) return known.outcome;
      return (await table.cancel(key)) ? undefined : outcomes.find(key);
    },

    completeForMs: table.completeForMs,
    ready: table.ready,

    async close() {
      clearInterval(purging);
      closing.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
      await table.close();
    },
  };
}
