import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Outcome, Provider } from '../../contract/notification.ts';
import { DatabaseError } from '../../postgres/database-error.ts';
import type { Send } from '../gateway.ts';
import { gatewayTimeout } from '../outcome-reply.ts';
import { digestOf, keyReused, type RememberedSends, withdrawn } from './memory.ts';
import { openSendsTable } from './sends-table.ts';

/** How often it looks whether a send that runs in another replica has ended. */
const pollMs = 100;
const sweepMs = 60_000;

export interface SharedSendsOptions {
  provider: Provider;
  url: string;
  /** How long whoever asks for a send waits for what comes of it, in ms. */
  timeoutMs: number;
  send: (send: Send) => Promise<Outcome>;
  log: FastifyBaseLogger;
}

interface Sent {
  outcome: Outcome;
  /** This replica knows it, and the table does not yet. */
  isNews: boolean;
}

/** What this replica sends. It is done when what came of it is in the table, too. */
interface UnderWay {
  digest: string;
  outcome: Promise<Outcome>;
  done: Promise<void>;
}

const notRemembered = {
  outcome: 'not_sent',
  reason: 'memory_unavailable',
  no_outage: true,
} satisfies Outcome;

/**
 * The sends of all replicas of a provider service, in one database: whichever is asked, the same key gets the same answer,
 * and over restarts, too. To route a key to always the same replica would not do: where one is gone, another one would say
 * of what it has never heard that it was never sent.
 *
 * A key is on disk before its SMS is sent; while that can not be, nothing is sent. What came of it is put down afterwards.
 */
export function createSharedSends({
  provider,
  url,
  timeoutMs,
  send,
  log,
}: SharedSendsOptions): RememberedSends {
  const table = openSendsTable(provider, url, log);
  /** No send takes so long: whoever made it is gone, and took with it what came of it. */
  const staleMs = Math.max(60_000, 4 * timeoutMs);
  const closing = new AbortController();
  const pause = (ms: number) => delay(ms, undefined, { signal: closing.signal }).catch(() => {});
  const underWay = new Map<string, UnderWay>();

  async function sendOnce(request: Send, key: string, digest: string): Promise<Sent> {
    const begun = performance.now();
    let isNew: boolean;
    try {
      isNew = await table.begin({ key, digest });
    } catch (err) {
      log.error({ err, idempotency_key: key }, 'a send could not be remembered, and is not made');
      return { outcome: notRemembered, isNews: false };
    }
    if (!isNew) return { outcome: await outcomeElsewhere(key, digest), isNews: false };
    // Whoever wanted it has been told that nobody knows, and may have asked the other provider by now.
    if (performance.now() - begun > timeoutMs) return { outcome: notRemembered, isNews: true };
    return { outcome: await send(request), isNews: true };
  }

  async function outcomeElsewhere(key: string, digest: string): Promise<Outcome> {
    try {
      return (await outcomeOf(key, digest)) ?? withdrawn;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { outcome: 'unknown', reason: 'outcome_unavailable' };
    }
  }

  /** What came of a send of any replica, once it has ended; undefined if it was withdrawn. */
  async function outcomeOf(key: string, digest?: string): Promise<Outcome | undefined> {
    const asked = performance.now();
    for (;;) {
      const known = await table.find(key);
      if (known?.digest === null) return undefined;
      if (known && digest !== undefined && known.digest !== digest) throw keyReused();
      if (known?.outcome) return known.outcome;
      if (!known || known.age_ms > staleMs || closing.signal.aborted)
        return { outcome: 'unknown', reason: 'interrupted' };
      if (performance.now() - asked > timeoutMs) return gatewayTimeout; // whoever asked has been told so
      await pause(pollMs);
    }
  }

  /** Tries until it is done: else nobody could ever say what came of it. */
  async function remember(key: string, outcome: Outcome): Promise<void> {
    do {
      try {
        await table.end({ key, outcome });
        return;
      } catch (err) {
        log.warn({ err, idempotency_key: key }, 'an outcome could not be remembered yet');
        await pause(1000);
      }
    } while (!closing.signal.aborted);
  }

  async function sweep(): Promise<void> {
    try {
      while (!closing.signal.aborted && (await table.forgetOld()));
    } catch (err) {
      log.warn({ err }, 'old sends could not be forgotten');
    }
  }
  const sweeping = setInterval(sweep, sweepMs).unref();

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
        .then(({ outcome, isNews }) => (isNews ? remember(key, outcome) : undefined))
        .catch(() => {}) // whoever waits for the outcome is told
        .then(() => void underWay.delete(key));
      underWay.set(key, { digest, outcome, done });
      return outcome;
    },

    async withdraw(key) {
      const here = underWay.get(key);
      if (here) return here.outcome;
      return (await table.withdraw(key)) ? undefined : outcomeOf(key);
    },

    completeForMs: table.completeForMs,
    ready: table.ready,

    async close() {
      clearInterval(sweeping);
      closing.abort();
      await Promise.all([...underWay.values()].map(({ done }) => done));
      await table.close();
    },
  };
}
