import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { LeaseLost, type Store } from '../store/store.ts';
import type { Delivery } from './delivery.ts';

/** Gets to an end what could not be notified at once. */
export interface Outbox {
  /** Claims nothing any more, and resolves when what was claimed has been put down. */
  stop(): Promise<void>;
}

export interface OutboxOptions {
  store: Store;
  delivery: Delivery;
  /** Notifications under way at the same time. */
  concurrency: number;
  /** Notifications taken on in a second, at most: a backlog leaves room for fresh payments. */
  ratePerSecond: number;
  /** How long an Idempotency-Key is kept, in ms. */
  keyRetentionMs: number;
  /** How long text and phone of a payment are kept, in ms; 0: for ever. */
  paymentRetentionMs: number;
  log: FastifyBaseLogger;
}

const tickMs = 100;
/** How long an outbox that found nothing waits before it looks again. */
const idleMs = 500;
/** … and one whose store does not answer. */
const afterFailureMs = 5000;
const forgottenAtATime = 1000;

export function startOutbox(options: OutboxOptions): Outbox {
  const { store, delivery, concurrency, ratePerSecond, keyRetentionMs, paymentRetentionMs, log } = options;
  const perTick = (ratePerSecond * tickMs) / 1000;
  /** How many may be taken on now. What is not used is not saved up, but for the fraction of one. */
  let allowance = 0;
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping.signal }).catch(() => {});

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await pause(await takeOn());
    }
    await Promise.all(underWay);
  }

  /** Says how long to wait before the next time, in ms. */
  async function takeOn(): Promise<number> {
    allowance = Math.min(allowance, 0.99) + perTick;
    const room = Math.min(Math.floor(allowance), concurrency - underWay.size);
    if (room <= 0) return tickMs;
    try {
      const claimed = await store.claimDue(room);
      allowance -= claimed.length;
      for (const payment of claimed) {
        const turn = delivery.resume(payment, log, stopping.signal).then(() => {}, logFailure);
        underWay.add(turn);
        void turn.finally(() => underWay.delete(turn));
      }
      const forgotten = await forget();
      return claimed.length > 0 || forgotten > 0 ? tickMs : idleMs;
    } catch (error) {
      logFailure(error);
      return afterFailureMs;
    }
  }

  /** As much at a time as there can be payments in one tick: it goes as fast as it comes. Says how much it was. */
  async function forget(): Promise<number> {
    const keys = await store.deleteKeys(Date.now() - keyRetentionMs, forgottenAtATime);
    if (paymentRetentionMs === 0) return keys;
    return keys + (await store.redact(Date.now() - paymentRetentionMs, forgottenAtATime));
  }

  /** What was claimed is claimed again when its lease has run out. */
  function logFailure(err: unknown): void {
    if (err instanceof LeaseLost)
      log.warn({ payment_id: err.message }, 'another worker has claimed this notification');
    else log.error({ err }, 'the outbox could not do its work');
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
