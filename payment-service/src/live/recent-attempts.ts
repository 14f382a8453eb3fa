import type { Outcome, Provider } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import type { NotifierObserver } from '../delivery/provider-breaker.ts';

const bucketMs = 5000;
const ringSize = 60;

/** The calls to one provider that ended within 5 s. */
export const recentBucketSchema = z
  .object({
    from: z.iso.datetime(),
    attempts: z.number().int(),
    accepted: z.number().int(),
    failed: z.number().int().meta({ description: '`not_sent` or `unknown`; a rejection is not a failure' }),
    mean_ms: z.number().int(),
    max_ms: z.number().int(),
  })
  .meta({ id: 'RecentCalls', description: 'The calls of a few seconds to one provider' });
type RecentBucket = z.infer<typeof recentBucketSchema>;

export interface RecentAttempts extends Required<Pick<NotifierObserver, 'attemptEnded'>> {
  /** The buckets of the last five minutes, oldest first. A bucket without attempts is left out. */
  series(): Record<Provider, RecentBucket[]>;
}

interface Bucket {
  /** Its number since the epoch. */
  number: number;
  attempts: number;
  accepted: number;
  failed: number;
  totalMs: number;
  maxMs: number;
}

/** Aggregates the attempts of the last five minutes in memory of constant size. `now` is in ms since the epoch. */
export function createRecentAttempts(now: () => number = Date.now): RecentAttempts {
  const rings: Record<Provider, (Bucket | undefined)[]> = { Aldeamo: [], Twilio: [] };

  let latest = 0;

  /** Drops buckets of the future once the wall clock was set back, because it would come to them again. */
  function currentNumber(): number {
    const number = Math.floor(now() / bucketMs);
    if (number < latest)
      for (const provider of Object.keys(rings) as Provider[])
        rings[provider] = rings[provider].map((bucket) =>
          bucket && bucket.number <= number ? bucket : undefined,
        );
    latest = number;
    return number;
  }

  function currentBucket(provider: Provider): Bucket {
    const number = currentNumber();
    const index = number % ringSize;
    const existing = rings[provider][index];
    if (existing?.number === number) return existing;
    const bucket = { number, attempts: 0, accepted: 0, failed: 0, totalMs: 0, maxMs: 0 };
    rings[provider][index] = bucket;
    return bucket;
  }

  function seriesOf(provider: Provider): RecentBucket[] {
    const oldest = currentNumber() - ringSize;
    return rings[provider]
      .filter((bucket): bucket is Bucket => bucket !== undefined && bucket.number > oldest)
      .sort((one, other) => one.number - other.number)
      .map(({ number, attempts, accepted, failed, totalMs, maxMs }) => ({
        from: new Date(number * bucketMs).toISOString(),
        attempts,
        accepted,
        failed,
        mean_ms: Math.round(totalMs / attempts),
        max_ms: Math.round(maxMs),
      }));
  }

  return {
    attemptEnded(provider, { outcome }: Outcome, durationMs) {
      const bucket = currentBucket(provider);
      bucket.attempts += 1;
      if (outcome === 'accepted') bucket.accepted += 1;
      else if (outcome !== 'rejected') bucket.failed += 1;
      bucket.totalMs += durationMs;
      bucket.maxMs = Math.max(bucket.maxMs, durationMs);
    },
    series: () => ({ Aldeamo: seriesOf('Aldeamo'), Twilio: seriesOf('Twilio') }),
  };
}
