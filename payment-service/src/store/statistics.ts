import type { StoredSums } from '../domain/statistics.ts';

/** What one process has added up about a provider in an hour. */
export interface SumsRow {
  /** The beginning of the hour, such as 2026-03-01T12:00:00.000Z. */
  hour: string;
  process: string;
  /** '' for what failed without one. */
  provider: string;
  sums: StoredSums;
}

/** The part of the store that keeps how many SMS went out. */
export interface StatisticsStore {
  /** Replaces the rows of the same hour, process and provider. */
  putSums(rows: SumsRow[]): Promise<void>;
  /** The rows of the hours that begin at `from` or later, and before `to` (ms since the epoch). */
  readSums(from: number, to: number): Promise<SumsRow[]>;
  /** Deletes up to `limit` rows of hours that began before this time (ms since the epoch); returns how many. */
  deleteSums(before: number, limit: number): Promise<number>;
}
