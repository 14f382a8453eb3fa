/** The gauges of a scrape are collected at the same time, and share one query; undefined if it fails, as while the database is down. */
export function oncePerScrape<T>(query: () => Promise<T>): () => Promise<T | undefined> {
  let current: Promise<T> | undefined;
  return async () => {
    try {
      current ??= query();
      return await current;
    } catch {
      return undefined;
    } finally {
      current = undefined;
    }
  };
}

/** The age of what was made at a wall time, in ms; no less than since it was first asked for, also by a clock that was set back. */
export function createAge(): (at: string | null) => number {
  let of: string | null = null;
  let since = 0;
  return (at) => {
    if (at !== of) since = performance.now();
    of = at;
    return at === null ? 0 : Math.max(Date.now() - Date.parse(at), performance.now() - since);
  };
}
