import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Outcome } from '../../contract/notification.ts';
import { Problem } from '../../http/problem.ts';
import type { Send } from '../gateway.ts';

export const lifetimeMs = 24 * 60 * 60 * 1000;
const capacity = 100_000;

export const withdrawn = { outcome: 'not_sent', reason: 'withdrawn', no_outage: true } satisfies Outcome;

interface Remembered {
  /** null for a send that was withdrawn before it came: nobody knows what it would have been. */
  digest: string | null;
  outcome: Promise<Outcome>;
  at: number;
}

export interface RememberedSends {
  /**
   * Sends, unless the key is known: then it is answered with the first outcome, and a send that still runs is joined.
   *
   * @throws Problem (409) if the key came with another body before
   */
  send(send: Send): Promise<Outcome>;
  /**
   * What became of the send with this key. If it is not known here: undefined, and should it still come, it is not sent.
   */
  withdraw(key: string): Promise<Outcome | undefined> | undefined;
  /**
   * Every key that came within this time, in ms, is known here. A length of time, and no point in it: the caller measures
   * from its own clock, and is not to compare that with this host's.
   */
  completeForMs(): number | Promise<number>;
  /** Rejects while nothing can be remembered, and so nothing sent. Default: that is never so. */
  ready?(): Promise<void>;
  close?(): Promise<void>;
}

interface SendsInMemory extends RememberedSends {
  completeForMs(): number;
}

/** Tells one body from another in place of it: neither a text nor a phone is kept for a day. */
export function digestOf({ customer_id, phone, message }: Send): string {
  return hash('sha256', JSON.stringify([customer_id, phone, message]), 'base64');
}

/** The key came with another body before. */
export const keyReused = () =>
  new Problem(409, 'idempotency-key-reused', 'This Idempotency-Key came with another body before.');

/**
 * Makes a repeated send harmless. A key is remembered for 24 hours, and at most 100 000 of them: then the one that was
 * asked for longest ago goes. The memory is the process's own, so a restart forgets it, and of several replicas each has
 * one of its own: postgres.ts is for those.
 */
export function rememberSends(send: (send: Send) => Promise<Outcome>): SendsInMemory {
  let completeSince = performance.now();
  const remembered = new LRUCache<string, Remembered>({
    max: capacity,
    ttl: lifetimeMs,
    dispose: ({ at }, _key, reason) => {
      if (reason !== 'set') completeSince = Math.max(completeSince, at);
    },
  });

  return {
    send(request) {
      const { idempotency_key: key } = request;
      if (key === null) return send(request);
      const digest = digestOf(request);
      const known = remembered.get(key);
      if (known && known.digest !== null && known.digest !== digest) throw keyReused();
      if (known) return known.outcome;
      const outcome = send(request);
      remembered.set(key, { digest, outcome, at: performance.now() });
      return outcome;
    },
    withdraw(key) {
      const known = remembered.get(key);
      if (known?.digest != null) return known.outcome;
      remembered.set(key, { digest: null, outcome: Promise.resolve(withdrawn), at: performance.now() });
      return undefined;
    },
    completeForMs: () => Math.floor(performance.now() - completeSince),
  };
}
