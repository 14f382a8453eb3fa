import { LRUCache } from 'lru-cache';
import type { Outcome } from '../notification.ts';
import { Problem } from '../server/problem.ts';
import type { Send } from './gateway.ts';

const lifetimeMs = 24 * 60 * 60 * 1000;
const capacity = 100_000;

/**
 * Makes a repeated send harmless: the same key is answered with the first outcome, and a send that is still running is
 * joined. A key is remembered for 24 hours, and at most 100 000 of them: then the one that was asked for longest ago
 * goes. The memory is the process's own, so a restart forgets it.
 *
 * @returns the send; it throws a Problem (409) where the key is known with another body
 */
export function rememberSends(send: (send: Send) => Promise<Outcome>): (send: Send) => Promise<Outcome> {
  const remembered = new LRUCache<string, { body: string; outcome: Promise<Outcome> }>({
    max: capacity,
    ttl: lifetimeMs,
  });

  return (request) => {
    const { idempotency_key: key, ...content } = request;
    if (key === null) return send(request);
    const body = JSON.stringify([content.customer_id, content.phone, content.message]);
    const known = remembered.get(key);
    if (known && known.body !== body) {
      throw new Problem(409, 'idempotency-key-reused', 'This Idempotency-Key came with another body before.');
    }
    if (known) return known.outcome;
    const outcome = send(request);
    remembered.set(key, { body, outcome });
    return outcome;
  };
}
