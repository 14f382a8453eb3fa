/** The pause before a provider that could not answer is asked again, in ms. */
export const askAgainMs = 1000;

/** How long notifications have waited for provider services that cannot answer a status query. */
export interface Patience {
  /** Whether the notification may wait on. Its time begins with the first call. */
  lasts(paymentId: string): boolean;
  /** The query was answered. */
  end(paymentId: string): void;
}

/**
 * Kept in memory, because it only delays an SMS: after a restart, and on another replica, the time begins anew.
 */
export function createPatience(limitMs: number): Patience {
  const since = new Map<string, number>();

  /** Drops notifications that another replica has gone on with. A map is ordered by insertion, so the oldest come first. */
  function dropOld(now: number): void {
    for (const [paymentId, begun] of since) {
      if (now - begun < 2 * limitMs) return;
      since.delete(paymentId);
    }
  }

  return {
    lasts(paymentId) {
      const now = performance.now();
      dropOld(now);
      const begun = since.getOrInsert(paymentId, now);
      if (now - begun < limitMs) return true;
      since.delete(paymentId);
      return false;
    },
    end: (paymentId) => void since.delete(paymentId),
  };
}
