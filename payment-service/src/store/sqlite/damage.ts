import type { WriteResult } from './group-commit.ts';

/** How long a damaged page that a write has met is remembered, in ms. */
const rememberedMs = 60_000;

/**
 * Finds out whether a payment would meet a damaged page: a write has met one within the last minute, or a rehearsal meets one. The
 * first, because the key and the customer of a payment lie on other pages than those of a rehearsal.
 */
export function watchDamage(rehearse: () => void) {
  let met: { error: unknown; at: number } | undefined;
  return {
    /** Remembers the error of a damaged page among the results of writes. */
    note(results: WriteResult<unknown>[]): void {
      for (const result of results)
        if ('error' in result && isDamage(result.error)) met = { error: result.error, at: performance.now() };
    },

    /** The error that a payment would get; undefined if none. */
    find(): { error: unknown } | undefined {
      if (met && performance.now() - met.at < rememberedMs) return { error: met.error };
      try {
        rehearse();
        return undefined;
      } catch (error) {
        return { error };
      }
    },
  };
}

/** SQLITE_CORRUPT and SQLITE_NOTADB, with or without their extended codes (https://www.sqlite.org/rescode.html). */
const isDamage = (error: unknown) => [11, 26].includes(((error as { errcode?: number }).errcode ?? 0) % 256);
