import { EventEmitter } from 'node:events';
import Opossum from 'opossum';

/** @types/opossum lacks the method by which a breaker counts. */
interface CountingStatus extends Opossum.Status {
  increment(property: keyof Opossum.Bucket, latencyMs?: number): void;
}

export interface RollingWindow {
  /** For opossum, which decides by it when to open. */
  status: Opossum.Status;
  /** The calls that ended in the window, and how many of them failed. */
  counts(): { calls: number; failures: number };
  clear(): void;
  stop(): void;
}

/**
 * opossum's statistics, but a call counts once, when it ends. opossum counts it in the bucket of its start (`fires`) and
 * again in the bucket of its end, so that its failure rate mixes two sets of calls: rejected ones and those under way
 * dilute it, and a failure stays in the window after its call has left it. Here `fires` grows together with `successes`
 * or `failures`, in the same bucket, as in cockatiel and resilience4j; calls that are ignored never end for opossum, and
 * so are not counted at all. opossum's own rule (`errorThresholdPercentage`, `volumeThreshold`) decides on these figures.
 *
 * Rejected: taking an ignored call out of the bucket of its start leaves the other calls in two buckets; a window of our
 * own with `breaker.open()` would write opossum's rule a second time.
 */
export function createRollingWindow({
  rollingCountTimeout,
  rollingCountBuckets,
}: {
  rollingCountTimeout: number;
  rollingCountBuckets: number;
}): RollingWindow {
  const rotation = new EventEmitter();
  const status = Opossum.newStatus({
    rollingCountTimeout,
    rollingCountBuckets,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    rotateBucketController: rotation,
  }) as CountingStatus;
  const increment = status.increment.bind(status);
  status.increment = (property, latencyMs) => {
    if (property === 'fires') return;
    if (property === 'successes' || property === 'failures') increment('fires');
    increment(property, latencyMs);
  };

  const rotate = () => rotation.emit('rotate');
  const timer = setInterval(rotate, Math.floor(rollingCountTimeout / rollingCountBuckets)).unref();

  return {
    status,
    counts() {
      const counts = { calls: 0, failures: 0 };
      for (const { fires, failures } of status.window) {
        counts.calls += fires;
        counts.failures += failures;
      }
      return counts;
    },
    clear() {
      for (let bucket = 0; bucket < rollingCountBuckets; bucket += 1) rotate();
    },
    stop: () => clearInterval(timer),
  };
}
