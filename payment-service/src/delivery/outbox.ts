import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { dayMs, dayOf, hourMs, hourOf } from '../domain/bounds.ts';
import { LeaseLost, type Store } from '../store/store.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { Delivery } from './delivery.ts';
import type { ControlsFollower } from './follow-controls.ts';

/**
 * Claims the notifications that are due, brings forward those that are due too late, and deletes and redacts what is older than
 * its retention.
 */
export interface Outbox {
  /** Ends claiming; resolves when the claimed notifications are recorded. */
  stop(): Promise<void>;
}

export interface OutboxOptions {
  store: Store;
  delivery: Delivery;
  /** Notifications under way at the same time. */
  concurrency: number;
  /** Notifications claimed in a second at most, so that a backlog leaves room for new payments. */
  ratePerSecond: number;
  /** How long an Idempotency-Key is stored, in ms. */
  keyRetentionMs: number;
  /** How long text and phone of a payment are stored, in ms; 0: for ever. */
  paymentRetentionMs: number;
  /** How long an event is in the feed, in ms. */
  eventRetentionMs: number;
  /** No notification is due later than this, in ms. */
  longestWaitMs: number;
  clock: Pick<ClockWatch, 'mayExpire'>;
  /** Read before each claim, so that nothing is offered to a provider that an operator has held meanwhile. */
  controls: Pick<ControlsFollower, 'read'>;
  log: FastifyBaseLogger;
}

const tickMs = 100;
/** The pause after a claim that found nothing. */
const idleMs = 500;
/** The pause while the store is unavailable. */
const afterFailureMs = 5000;
const deletedAtATime = 1000;
const broughtForwardAtATime = 1000;
const bringForwardEveryMs = 60_000;
const deleteCountsEveryMs = 60_000;
const deleteEventsEveryMs = 60_000;
/** Counts of days are kept for a week, because they are few, and the clock may be set back. */
const countedDaysMs = 7 * dayMs;
/** Counts of recipients have phones, and are deleted an hour after their own. */
const countedHoursMs = hourMs;

export function startOutbox(options: OutboxOptions): Outbox {
  const { store, delivery, concurrency, ratePerSecond, keyRetentionMs, paymentRetentionMs } = options;
  const { eventRetentionMs, longestWaitMs, clock, controls, log } = options;
  const perTick = (ratePerSecond * tickMs) / 1000;
  /** Tokens of the rate limiter. Unused whole tokens are dropped; the fraction is carried over. */
  let tokens = 0;
  /** When nothing was due too late, in ms since the epoch. */
  let broughtForwardAt = Number.NEGATIVE_INFINITY;
  /** When no old counts were left, in ms since the epoch. */
  let countsDeletedAt = Number.NEGATIVE_INFINITY;
  /** When no old events were left, in ms since the epoch. */
  let eventsDeletedAt = Number.NEGATIVE_INFINITY;
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping.signal }).catch(() => {});

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await pause(await claimDue());
    }
    await Promise.all(underWay);
  }

  /** Claims what is due, as far as there is room. Returns the pause before the next claim, in ms. */
  async function claimDue(): Promise<number> {
    tokens = Math.min(tokens, 0.99) + perTick;
    const room = Math.min(Math.floor(tokens), concurrency - underWay.size);
    if (room <= 0) return tickMs;
    try {
      const broughtForward = await bringForward();
      await controls.read();
      const claimed = await store.claimDue(room);
      tokens -= claimed.length;
      for (const payment of claimed) {
        const turn = delivery.resume(payment, log, stopping.signal).then(() => {}, logFailure);
        underWay.add(turn);
        void turn.finally(() => underWay.delete(turn));
      }
      const deleted = await deleteOld();
      return broughtForward + claimed.length + deleted > 0 ? tickMs : idleMs;
    } catch (error) {
      logFailure(error);
      return afterFailureMs;
    }
  }

  /**
   * Looks at the start and once a minute, because another process may have written by a wrong clock. By the wall clock, so that
   * it looks at once when that was set back. Returns how many it brought forward.
   */
  async function bringForward(): Promise<number> {
    const now = Date.now();
    if (now >= broughtForwardAt && now - broughtForwardAt < bringForwardEveryMs) return 0;
    const count = await store.bringForward(longestWaitMs, broughtForwardAtATime);
    if (count > 0)
      log.warn({ notifications: count }, 'notifications were scheduled too late; they are brought forward');
    if (count < broughtForwardAtATime) broughtForwardAt = now;
    return count;
  }

  /** Deletes and redacts as much in a tick as payments can arrive in it, so that it keeps up. Returns how much it was. */
  async function deleteOld(): Promise<number> {
    const now = Date.now();
    if (!clock.mayExpire()) return 0; // after `now` was read, because the clock may be set between the two
    const deleted = (await deleteCounts(now)) + (await deleteEvents(now));
    const keys = await store.deleteKeys(now - keyRetentionMs, deletedAtATime);
    if (paymentRetentionMs === 0) return deleted + keys;
    return deleted + keys + (await store.redact(now - paymentRetentionMs, deletedAtATime));
  }

  /** Looks once a minute, also while none are recorded: they may have been. Goes on until none is old. */
  async function deleteEvents(now: number): Promise<number> {
    if (now >= eventsDeletedAt && now - eventsDeletedAt < deleteEventsEveryMs) return 0;
    const count = await store.deleteEvents(now - eventRetentionMs, deletedAtATime);
    if (count === 0) eventsDeletedAt = now;
    return count;
  }

  /** Looks once a minute, also while there is no limit: there may have been one. */
  async function deleteCounts(now: number): Promise<number> {
    if (now >= countsDeletedAt && now - countsDeletedAt < deleteCountsEveryMs) return 0;
    const before = { day: dayOf(now - countedDaysMs), hour: hourOf(now - countedHoursMs) };
    const count = await store.deleteCounts(before, deletedAtATime);
    if (count < deletedAtATime) countsDeletedAt = now;
    return count;
  }

  /** A notification whose turn failed is claimed again when its lease has expired. */
  function logFailure(err: unknown): void {
    if (err instanceof LeaseLost)
      log.warn({ payment_id: err.message }, 'another worker has claimed this notification');
    else log.error({ err }, 'the outbox failed');
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
