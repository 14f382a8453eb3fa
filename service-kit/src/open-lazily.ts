import { withDeadline } from './deadline.ts';

/** After a failed open the next one waits this long: each costs a thread, or a connection. */
const retryMs = 1000;

/** A request does not wait longer for an open, such as one that waits for another replica's migration. */
const waitMs = 3000;

interface Lazy<T> {
  /** Undefined until an open has succeeded. Read without a promise, since a store is asked twice a payment. */
  readonly opened: T | undefined;
  /** Rejects with the error of `open`, or with `unavailable`. */
  open(): Promise<T>;
}

/**
 * Opens a resource on its first use, once for all who wait, and again on a later use if that failed: a database may start
 * after the service, and a service that exits instead would refuse even what needs no database.
 */
export function openLazily<T>(open: () => T | Promise<T>, unavailable: (why: string) => Error): Lazy<T> {
  let opened: T | undefined;
  let opening: Promise<T> | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;

  async function tryToOpen(): Promise<T> {
    try {
      // Not `await open()`: an error thrown before the first await would clear `opening` before it is set.
      opened = await Promise.try(open);
      return opened;
    } catch (error) {
      opening = undefined;
      failedAt = performance.now();
      throw error;
    }
  }

  return {
    get opened() {
      return opened;
    },
    async open() {
      if (performance.now() - failedAt < retryMs) throw unavailable('not open');
      opening ??= tryToOpen();
      return withDeadline(waitMs, opening, () => {
        throw unavailable('still being opened');
      });
    },
  };
}
