/** Remembers the promises that are pending, so that a stop can wait for them. */
export function createTracker() {
  const pending = new Set<Promise<unknown>>();
  return {
    track<T>(work: Promise<T>): Promise<T> {
      pending.add(work);
      const done = () => pending.delete(work);
      work.then(done, done);
      return work;
    },
    async drain() {
      while (pending.size > 0) await Promise.allSettled(pending);
    },
  };
}
