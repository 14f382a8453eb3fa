import { LRUCache } from 'lru-cache';
import type { Outcome } from '../../contract/notification.ts';
import { httpProblem } from '../../http/http-problems.ts';
import type { Send } from '../gateway.ts';
import { digestOf, type IdempotencyStore, lifetimeMs, withdrawn } from './store.ts';

const capacity = 100_000;

interface Entry {
  /** null for a send that was cancelled before it came: its body is unknown. */
  digest: string | null;
  outcome: Promise<Outcome>;
  at: number;
}

interface MemoryIdempotencyStore extends IdempotencyStore {
  completeForMs(): number;
}

/**
 * Holds 100 000 keys; one more evicts the least recently used. A restart loses them, and replicas do not share them: those
 * need postgres.ts.
 */
export function createMemoryIdempotencyStore(send: (send: Send) => Promise<Outcome>): MemoryIdempotencyStore {
  let completeSince = performance.now();
  const entries = new LRUCache<string, Entry>({
    max: capacity,
    ttl: lifetimeMs,
    perf: performance, // otherwise the clock of the moment when the library was loaded, which a test cannot fake
    dispose: ({ at }, _key, reason) => {
      if (reason !== 'set') completeSince = Math.max(completeSince, at);
    },
  });

  return {
    send(request) {
      const { idempotency_key: key } = request;
      if (key === null) return send(request);
      const digest = digestOf(request);
      const known = entries.get(key);
      if (known && known.digest !== null && known.digest !== digest)
        throw httpProblem('idempotency-key-reused');
      if (known) return known.outcome;
      const outcome = send(request);
      entries.set(key, { digest, outcome, at: performance.now() });
      return outcome;
    },
    cancel(key) {
      const known = entries.get(key);
      if (known?.digest != null) return known.outcome;
      entries.set(key, { digest: null, outcome: Promise.resolve(withdrawn), at: performance.now() });
      return undefined;
    },
    completeForMs: () => Math.floor(performance.now() - completeSince),
  };
}
