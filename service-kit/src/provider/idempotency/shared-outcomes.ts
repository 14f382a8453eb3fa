import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Outcome } from '../../contract/notification.ts';
import { httpProblem } from '../../http/http-problems.ts';
import { gatewayTimeout } from '../outcome-reply.ts';
import type { KnownSend, SendsTable } from './sends-table.ts';
import { staleMs } from './store.ts';

const pollMs = 100;
const retryMs = 1000;

interface SharedOutcomesOptions {
  table: SendsTable;
  /** The deadline of the request that waits for the outcome. */
  timeoutMs: number;
  closing: AbortSignal;
  log: FastifyBaseLogger;
}

/** The outcomes of the sends of all replicas: those that others record are awaited, our own are recorded. */
export function createSharedOutcomes({ table, timeoutMs, closing, log }: SharedOutcomesOptions) {
  const isLost = (known: KnownSend | undefined) =>
    known === undefined || known.age_ms > staleMs(timeoutMs) || closing.aborted;
  const pause = (ms: number) => delay(ms, undefined, { signal: closing }).catch(() => {});

  /** The outcome of a send that has ended or is lost; undefined while it runs. */
  function endOf(known: KnownSend | undefined): Outcome | undefined {
    if (known?.outcome) return known.outcome;
    return isLost(known) ? { outcome: 'unknown', reason: 'interrupted' } : undefined;
  }

  return {
    /**
     * The outcome of a send of any replica, once it has ended; undefined if it was cancelled.
     *
     * @throws Problem (422) if the digest is given, and is another one
     * @throws DatabaseError
     */
    async find(key: string, digest?: string): Promise<Outcome | undefined> {
      const begun = performance.now();
      for (;;) {
        const known = await table.find(key);
        if (known?.digest === null) return undefined;
        if (isReused(known, digest)) throw httpProblem('idempotency-key-reused');
        const outcome = endOf(known);
        if (outcome) return outcome;
        if (performance.now() - begun > timeoutMs) return gatewayTimeout; // the request has ended with that
        await pause(pollMs);
      }
    },

    /** Retries until it succeeds, because only this process knows the outcome. It never rejects. */
    async record(key: string, outcome: Outcome): Promise<void> {
      do {
        try {
          await table.end({ key, outcome });
          return;
        } catch (err) {
          log.warn({ err, idempotency_key: key }, 'the outcome of a send could not be recorded; retrying');
          await pause(retryMs);
        }
      } while (!closing.aborted);
    },
  };
}

const isReused = (known: KnownSend | undefined, digest: string | undefined) =>
  known !== undefined && digest !== undefined && known.digest !== digest;
