import { EventEmitter } from 'node:events';
import type { FastifyBaseLogger } from 'fastify';
import Opossum from 'opossum';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { Consequences } from '../domain/outcome.ts';
import type { CircuitReport, CircuitState } from './circuit-report.ts';

/**
 * The parameters of the circuit breakers, with opossum's names; durations in milliseconds. Each can be set by the
 * environment variable that config.ts gives it.
 */
export const circuitBreakerDefaults = {
  /** The circuit opens when more than this share of the calls in the window has failed. Exactly this share does not. */
  errorThresholdPercentage: 50,
  /** … and at least this many calls are in the window. */
  volumeThreshold: 5,
  /** The length of the window. */
  rollingCountTimeout: 30_000,
  /** The number of slices in which the window moves on. */
  rollingCountBuckets: 10,
  /** How long the circuit stays open before a probe is let through. */
  resetTimeout: 15_000,
  /** This many failures in a row open it too, however few the calls. opossum has no such rule; it is ours. */
  consecutiveFailures: 3,
};
export type CircuitBreakerParameters = typeof circuitBreakerDefaults;

/** What the action made of a call, and what the breaker is to learn from it. */
export interface Judged<Result> {
  result: Result;
  verdict: Consequences['breaker'];
  reason: string | null;
}

export interface CircuitBreakerOptions<Args extends unknown[], Result> {
  provider: Provider;
  parameters: CircuitBreakerParameters;
  /** The call. It carries its own deadline, and never rejects. */
  action: (...args: Args) => Promise<Judged<Result>>;
  /** Runs after a failure, with its result, and instead of the action where the circuit is open. */
  fallback: (failed: Result | undefined, ...args: Args) => Promise<Result>;
  /** Whether the provider is well, found without a customer's help. It carries its own deadline, and never rejects. */
  check: () => Promise<boolean>;
  /** Told of each state that the circuit comes into. */
  onChange?: (state: CircuitState) => void;
  log: FastifyBaseLogger;
}

export interface CircuitBreaker<Args extends unknown[], Result> {
  fire(...args: Args): Promise<Result>;
  /** Whether it would let a call through now. */
  isAvailable(): boolean;
  /** Asks the provider now, and closes the circuit with a clean slate if it is well. */
  recover(): Promise<boolean>;
  report(): CircuitReport;
  shutdown(): void;
}

/** Carries the result of a failed call through opossum, which knows a failure only by its rejection. */
class Failure<Result> extends Error {
  readonly result: Result;
  constructor(result: Result) {
    super('the call failed');
    this.result = result;
  }
}

/**
 * One long-lived opossum breaker for one provider, with what opossum lacks: failures in a row, a window that is clean
 * after a recovery, results of an earlier state that are not held against the present one, and a probe in the
 * background, so that the circuit closes without a customer's payment having to be the probe.
 */
export function createCircuitBreaker<Args extends unknown[], Result>({
  provider,
  parameters,
  action,
  fallback,
  check,
  onChange,
  log,
}: CircuitBreakerOptions<Args, Result>): CircuitBreaker<Args, Result> {
  const { consecutiveFailures: limit, ...opossumParameters } = parameters;
  const rotation = new EventEmitter();
  let state: CircuitState = 'closed';
  let since = new Date();
  let reason = 'start';
  /** Counts the states: a call that began in an earlier one is news of the past. */
  let generation = 0;
  let failuresInARow = 0;
  /** Why the next change of state comes, where we are the ones to bring it about. */
  let because: string | undefined;

  /**
   * The action as opossum sees it. What opossum must not count it never sees end: opossum has no word for a call that
   * says nothing about the provider, and takes the end of an old call for news of the present state. The caller gets
   * the result all the same, past opossum.
   */
  const counted = async (
    past: (result: Result | Promise<Result>) => void,
    ...args: Args
  ): Promise<Result> => {
    const began = generation;
    const { result, verdict, reason } = await action(...args);
    if (began !== generation || verdict === 'ignored') {
      if (began === generation) uncount();
      past(verdict === 'failure' ? fallback(result, ...args) : result);
      return new Promise<never>(() => {});
    }
    if (verdict === 'success') {
      failuresInARow = 0;
      return result;
    }
    countFailure(reason);
    throw new Failure(result);
  };

  const breaker = new Opossum<[past: (result: Result | Promise<Result>) => void, ...Args], Result>(counted, {
    ...opossumParameters,
    name: provider,
    timeout: false, // opossum's timeout does not stop the call: it would go on beside the fallback, and both would send
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    rotateBucketController: rotation,
  });

  breaker.fallback((_past: unknown, ...given: [...Args, unknown]) => {
    const error = given.at(-1);
    const args = given.slice(0, -1) as Args;
    if (error instanceof Failure) return fallback(error.result, ...args);
    if (Opossum.isOurError(error as Error)) return fallback(undefined, ...args);
    throw error;
  });

  /** opossum has counted the call when it began. */
  const uncount = () => {
    const [bucket] = breaker.status.window;
    if (bucket) bucket.fires -= 1;
  };

  const rotate = () => rotation.emit('rotate');
  const rotationTimer = setInterval(
    rotate,
    Math.floor(parameters.rollingCountTimeout / parameters.rollingCountBuckets),
  ).unref();

  // opossum keeps the window over a recovery, and one more failure would open the circuit again.
  const clearWindow = () => {
    for (let bucket = 0; bucket < parameters.rollingCountBuckets; bucket += 1) rotate();
  };

  // opossum runs listeners inside its own bookkeeping: one that throws makes it count a failure and send again.
  const enter = (next: CircuitState, why: string) => {
    const previous = state;
    state = next;
    since = new Date();
    reason = because ?? why;
    because = undefined;
    generation += 1;
    failuresInARow = 0;
    try {
      onChange?.(next);
      log[next === 'open' ? 'warn' : 'info'](
        { provider, circuit: next, previous, reason },
        'circuit changed',
      );
    } catch {
      // A log that can not be written must not cost anybody an SMS.
    }
  };

  breaker.on('open', () => {
    const { failures, fires } = breaker.stats;
    enter('open', state === 'half_open' ? 'the probe failed' : `${failures} of ${fires} calls failed`);
  });
  breaker.on('halfOpen', () => {
    enter('half_open', `open for ${parameters.resetTimeout} ms`);
    void probe();
  });
  breaker.on('close', () => {
    clearWindow();
    enter('closed', 'the probe succeeded');
  });

  function countFailure(why: string | null): void {
    failuresInARow += 1;
    if (failuresInARow < limit || state !== 'closed') return;
    because = `${failuresInARow} failures in a row, the last: ${why}`;
    breaker.open();
  }

  async function probe(): Promise<void> {
    const began = generation;
    const well = await check();
    if (began !== generation) return; // a payment was the probe, or a person decided
    because = well ? 'the background check succeeded' : 'the background check failed';
    if (well) breaker.close();
    else breaker.open();
  }

  return {
    fire: (...args) =>
      new Promise((resolve, reject) => {
        breaker.fire(resolve, ...args).then(resolve, reject);
      }),
    isAvailable: () => breaker.closed || breaker.pendingClose,
    async recover() {
      if (!(await check())) return false;
      if (breaker.isShutdown) return false; // close() would bring it back
      clearWindow();
      generation += 1;
      failuresInARow = 0;
      because = 'closed by hand';
      breaker.close();
      because = undefined; // where it was closed already
      return true;
    },
    report() {
      const { failures, fires, rejects } = breaker.stats;
      return {
        state,
        since: since.toISOString(),
        reason,
        consecutive_failures: failuresInARow,
        calls: fires - rejects,
        failures,
        next_probe_at:
          state === 'open' ? new Date(since.getTime() + parameters.resetTimeout).toISOString() : null,
      };
    },
    shutdown() {
      clearInterval(rotationTimer);
      generation += 1; // what still runs, a call or a check, has nothing to say to it any more
      breaker.shutdown();
    },
  };
}
