import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Provider, providers } from 'service-kit/contract/notification.ts';
import { dayMs, hourMs } from '../domain/bounds.ts';
import { latestTime } from '../domain/request-time.ts';
import { emptySums, mergeSums, percentile, type Sums } from '../domain/statistics.ts';
import type { StatisticsStore } from '../store/statistics.ts';

export const intervals = ['hour', 'day'] as const;
export type Interval = (typeof intervals)[number];
const lengths: Record<Interval, number> = { hour: hourMs, day: dayMs };

/**
 * Whole intervals of UTC: from the beginning of the one of `from` to the end of the last that begins before `to`, which is the latest
 * time at most, because the year 10000 has no time that is written with four digits.
 */
export function wholeIntervals({ from, to, by }: { from: number; to: number; by: Interval }) {
  const ms = lengths[by];
  return { from: Math.floor(from / ms) * ms, to: Math.min(Math.ceil(to / ms) * ms, latestTime) };
}

const named = [...providers, ''] as const;

/** The statistics of each interval and provider in which something happened, oldest first. `from` and `to` are of whole intervals. */
export async function readStatistics(
  store: Pick<StatisticsStore, 'readSums'>,
  { from, to, by }: { from: number; to: number; by: Interval },
  signal: AbortSignal,
) {
  const data = [];
  // A day at a time, each in a turn of its own: the rows of a year of several replicas have a hundred megabytes, and would hold up
  // all else. A day has whole intervals.
  for (let day = from; day < to && !signal.aborted; day += dayMs) {
    await nextTurn();
    const sums = new Map<string, Sums>();
    for (const row of await store.readSums(day, Math.min(day + dayMs, to))) {
      const begin = Math.floor(Date.parse(row.hour) / lengths[by]) * lengths[by];
      mergeSums(sums.getOrInsertComputed(`${begin} ${row.provider}`, emptySums), row.sums);
    }
    for (let begin = day; begin < Math.min(day + dayMs, to); begin += lengths[by])
      for (const provider of named) {
        const found = sums.get(`${begin} ${provider}`);
        if (found) data.push(viewSums(begin, provider, found));
      }
  }
  return data;
}

const viewSums = (begin: number, provider: Provider | '', sums: Sums) => ({
  at: new Date(begin).toISOString(),
  provider: provider || null,
  sent: sums.sent,
  segments: sums.segments,
  delivered: sums.delivered,
  failed: [...sums.failed]
    .map(([reason, count]) => ({ reason, count }))
    .toSorted((one, other) => other.count - one.count),
  accepted_ms: viewTimes(sums.accepted),
  delivered_ms: viewTimes(sums.delivery),
});

function viewTimes(counts: Map<number, number>) {
  const [p50, p95] = [percentile(counts, 0.5), percentile(counts, 0.95)];
  return p50 === null || p95 === null ? null : { p50, p95 };
}
