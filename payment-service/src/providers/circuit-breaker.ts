import Opossum from 'opossum';
import type { Consequences } from '../domain/outcome.ts';
import type { CircuitReport } from './circuit-report.ts';
import { type CircuitStateOptions, followCircuit } from './circuit-state.ts';
import { createFailureRun } from './failure-run.ts';
import { createRollingWindow } from './rolling-window.ts';

/**
 * The parameters of the circuit breakers, with opossum's names; durations in milliseconds. Each can be set by the
 * environment variable that config.ts gives it.
 */
export const circuitBreakerDefaults = {
  /** The circuit opens when more than this share of the calls in the window has failed. Exactly this share does not. */
  errorThresholdPercentage: 50,
  /** … and at least this many calls are in the window. */
  volumeThreshold: 5,
  /** The length of the window. A call is in it from its end on. */
  rollingCountTimeout: 30_000,
  /** The number of slices in which the window moves on. */
  rollingCountBuckets: 10,
  /** How long the circuit stays open before a probe is let through. */
  resetTimeout: 15_000,
  /** This many failures in a row open it too, unless they come within a second of busy traffic: failure-run.ts. */
  consecutiveFailures: 3,
};
export type CircuitBreakerParameters = typeof circuitBreakerDefaults;

/** A call that has ended, and what it says about the provider. */
export interface EndedCall<Result> {
  result: Result;
  countsAs: Consequences['breaker'];
  /** Opens the circuit at once, for this reason. */
  opensCircuit?: string | undefined;
  reason: string | null;
}

export interface CircuitBreakerOptions<Args extends unknown[], Result> extends CircuitStateOptions {
  parameters: CircuitBreakerParameters;
  /** The call. It carries its own deadline, and never rejects. */
  action: (...args: Args) => Promise<EndedCall<Result>>;
  /** Runs after a failure, with its result, and instead of the action where the circuit is open. */
  fallback: (failed: Result | undefined, ...args: Args) => Promise<Result>;
}

export interface CircuitBreaker<Args extends unknown[], Result> {
  fire(...args: Args): Promise<Result>;
  /** Whether it would let a call through now. */
  isAvailable(): boolean;
  /** Opens a closed circuit. */
  open(reason: string): void;
  /** Checks the provider now. Closes the circuit and counts from zero, unless the provider is unhealthy or refuses the account. */
  recover(): Promise<boolean>;
  report(): CircuitReport;
  /** The time until an open circuit lets a probe through, in ms; 0 in the other states. */
  nextProbeInMs(): number;
  shutdown(): void;
}

/**
 * One long-lived opossum breaker for one provider, with what opossum lacks: a window that counts calls when they end
 * (rolling-window.ts), a rule for consecutive failures (failure-run.ts), calls that are ignored, and states that results
 * of an earlier state do not change (circuit-state.ts).
 */
export function createCircuitBreaker<Args extends unknown[], Result>({
  parameters,
  action,
  fallback,
  ...options
}: CircuitBreakerOptions<Args, Result>): CircuitBreaker<Args, Result> {
  const window = createRollingWindow(parameters);
  const run = createFailureRun(parameters.consecutiveFailures);

  /**
   * The action as opossum sees it. opossum has no ignored calls and no generations: such a call never ends for it, and
   * its result goes to the caller directly.
   */
  const counted = async (resolve: Resolve<Result>, ...args: Args): Promise<Result> => {
    const { generation } = circuit;
    const { result, countsAs, opensCircuit, reason } = await action(...args);
    if (countsAs === 'ignored' || generation !== circuit.generation) {
      circuit.probeSaidNothing(generation);
      resolve(countsAs === 'failure' ? fallback(result, ...args) : result);
      return new Promise<never>(() => {});
    }
    if (countsAs === 'success') {
      run.end();
      return result;
    }
    run.extend();
    const calls = window.counts().calls + 1; // opossum counts this one after it has been thrown
    if (opensCircuit !== undefined) circuit.open(opensCircuit);
    else if (circuit.state === 'closed' && run.opensCircuit(calls))
      circuit.open(`${run.length} failures in a row, the last: ${reason}`);
    throw new Failure(result);
  };

  const breaker = wrapInOpossum(counted, fallback, {
    ...parameters,
    name: options.provider,
    status: window.status,
  });
  const circuit = followCircuit(breaker, { window, run, resetTimeout: parameters.resetTimeout }, options);

  return {
    fire: (...args) =>
      new Promise((resolve, reject) => {
        breaker.fire(resolve, ...args).then(resolve, reject);
      }),
    isAvailable: () => breaker.closed || breaker.pendingClose,
    open(reason) {
      if (circuit.state === 'closed') circuit.open(reason);
    },
    recover: circuit.recover,
    nextProbeInMs: circuit.nextProbeInMs,
    report: () => ({ ...circuit.report(), ...window.counts(), consecutive_failures: run.length }),
    shutdown() {
      window.stop();
      circuit.shutdown();
    },
  };
}

type Resolve<Result> = (result: Result | Promise<Result>) => void;

/** Carries the result of a failed call through opossum, which knows a failure only by its rejection. */
class Failure<Result> extends Error {
  readonly result: Result;
  constructor(result: Result) {
    super('the call failed');
    this.result = result;
  }
}

function wrapInOpossum<Args extends unknown[], Result>(
  call: (resolve: Resolve<Result>, ...args: Args) => Promise<Result>,
  fallback: CircuitBreakerOptions<Args, Result>['fallback'],
  options: Opossum.Options,
) {
  const breaker = new Opossum<[resolve: Resolve<Result>, ...Args], Result>(call, {
    ...options,
    timeout: false, // opossum's timeout does not stop the call: it would go on beside the fallback, and both would send
  });
  breaker.fallback((_resolve: unknown, ...given: [...Args, unknown]) => {
    const error = given.at(-1);
    const args = given.slice(0, -1) as Args;
    if (error instanceof Failure) return fallback(error.result, ...args);
    if (Opossum.isOurError(error as Error)) return fallback(undefined, ...args);
    throw error;
  });
  return breaker;
}
