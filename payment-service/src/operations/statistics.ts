import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from 'service-kit/contract/notification.ts';
import { hourMs } from '../domain/bounds.ts';
import type { PaymentObserver } from '../domain/payment.ts';
import { addChange, emptySums, type Sums, type SumsOf, storedSums } from '../domain/statistics.ts';
import type { SumsRow } from '../store/statistics.ts';
import type { Store } from '../store/store.ts';
import { repeat } from './repeat.ts';

export interface Statistics {
  onChange: PaymentObserver;
  /** Writes what is not written yet. */
  stop(): Promise<void>;
}

/** The sums of an hour by this process. */
interface Hour {
  /** Another one if the clock is set back to an hour that was written: its rows stay as they are. */
  process: string;
  providers: Map<Provider | '', { sums: Sums; isWritten: boolean }>;
}

export const writeEveryMs = 10_000;

/**
 * Adds up what becomes of SMS, by the hour in which this process records it, and writes the totals of what has changed to rows of its own, so
 * that a write which is repeated changes nothing.
 */
export function startStatistics(store: Pick<Store, 'putSums'>, log: FastifyBaseLogger): Statistics {
  /** By the number of the hour since the epoch. */
  const hours = new Map<number, Hour>();
  let current = Number.NaN;
  let sumsNow: SumsOf = () => emptySums();

  function enter(hour: number): void {
    const { providers } = hours.getOrInsertComputed(hour, () => ({
      process: randomUUID(),
      providers: new Map(),
    }));
    current = hour;
    sumsNow = (provider) => {
      const row = providers.getOrInsertComputed(provider, () => ({ sums: emptySums(), isWritten: false }));
      row.isWritten = false;
      return row.sums;
    };
  }

  async function write(): Promise<void> {
    const changed = [...hours].flatMap(([hour, { process, providers }]) =>
      [...providers]
        .filter(([, { isWritten }]) => !isWritten)
        .map(([provider, row]) => ({ hour, process, provider, row })),
    );
    const rows = changed.map(({ hour, process, provider, row }): SumsRow => {
      row.isWritten = true;
      return { hour: new Date(hour * hourMs).toISOString(), process, provider, sums: storedSums(row.sums) };
    });
    try {
      if (rows.length > 0) await store.putSums(rows);
    } catch (error) {
      for (const { row } of changed) row.isWritten = false;
      throw error;
    }
    dropPast();
  }

  /** What is over and written is needed no more. */
  function dropPast(): void {
    for (const [hour, { providers }] of hours)
      if (hour !== current && providers.values().every(({ isWritten }) => isWritten)) hours.delete(hour);
  }

  const writing = repeat(write, writeEveryMs, log);
  return {
    onChange(payment, before) {
      const now = Date.now();
      const hour = Math.floor(now / hourMs);
      if (hour !== current) enter(hour);
      addChange(sumsNow, payment, before, now);
    },
    async stop() {
      await writing.stop();
      await write().catch((err: unknown) => log.warn({ err }, 'the last sums of the statistics are lost'));
    },
  };
}
