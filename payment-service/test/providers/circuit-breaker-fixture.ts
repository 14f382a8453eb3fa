import type { FastifyBaseLogger } from 'fastify';
import type { UpstreamHealth } from 'service-kit/contract/account.ts';
import { expect, vi } from 'vitest';
import type { Consequences } from '../../src/domain/outcome.ts';
import {
  type CircuitBreakerParameters,
  circuitBreakerDefaults,
  createCircuitBreaker,
} from '../../src/providers/circuit-breaker.ts';
import { accountRefused } from '../../src/providers/circuit-state.ts';
import { upstreamHealth } from '../fixture.ts';

export type CountsAs = Consequences['breaker'];

interface FixtureOptions {
  parameters?: Partial<CircuitBreakerParameters>;
  /** Whether the provider is healthy, or more than that. */
  check?: () => Promise<boolean | UpstreamHealth>;
  onChange?: () => void;
  log?: FastifyBaseLogger;
  fallback?: () => Promise<string>;
}

export const deadline = 3000;
export const { resetTimeout, rollingCountTimeout } = circuitBreakerDefaults;
export const never = () => new Promise<never>(() => {});
/** Each leaves only one of the two rules in force. */
export const byRateOnly = { consecutiveFailures: 1_000_000 };
export const inARowOnly = { volumeThreshold: 1_000_000 };

/** A breaker whose calls resolve to the provider that handled them: the primary is Aldeamo, the fallback Twilio. */
export function setUp({
  parameters,
  check = never,
  onChange,
  log,
  fallback = async () => 'Twilio',
}: FixtureOptions = {}) {
  const sends = { Aldeamo: 0, Twilio: 0 };
  const failedResults: unknown[] = [];
  const logged: { circuit: string; previous: string; reason: string }[] = [];
  const note = (entry: (typeof logged)[number]) => logged.push(entry);
  const breaker = createCircuitBreaker<[countsAs: CountsAs | Promise<CountsAs>, refusedFor?: string], string>(
    {
      provider: 'Aldeamo',
      parameters: { ...circuitBreakerDefaults, ...parameters },
      action: async (countsAs, refusedFor) => {
        sends.Aldeamo += 1;
        return {
          result: 'Aldeamo',
          countsAs: await countsAs,
          opensCircuit: refusedFor && accountRefused(refusedFor),
          reason: refusedFor ?? 'connection_refused',
        };
      },
      fallback: (failed) => {
        sends.Twilio += 1;
        failedResults.push(failed);
        return fallback();
      },
      check: async () => {
        const health = await check();
        return typeof health === 'boolean' ? upstreamHealth(health) : health;
      },
      ...(onChange && { onChange }),
      log: log ?? ({ info: note, warn: note } as unknown as FastifyBaseLogger),
    },
  );
  const call = (countsAs: CountsAs) => breaker.fire(countsAs);
  /** A call of which the provider refuses the account. */
  const callRefused = (reason: string) => breaker.fire('failure', reason);
  const calls = async (count: number, countsAs: CountsAs) => {
    for (let i = 0; i < count; i += 1) await call(countsAs);
  };
  /** A call that lasts until it is settled. */
  const begin = () => {
    const { promise, resolve } = Promise.withResolvers<CountsAs>();
    const handled = breaker.fire(promise);
    const settle = (countsAs: CountsAs) => {
      resolve(countsAs);
      return handled;
    };
    return { handled, settle };
  };
  const state = () => breaker.report().state;
  const open = async () => {
    await calls(circuitBreakerDefaults.consecutiveFailures, 'failure');
    expect(state()).toBe('open');
  };
  const halfOpen = async () => {
    await open();
    await pass(resetTimeout);
    expect(state()).toBe('half_open');
  };
  return { breaker, sends, failedResults, logged, call, callRefused, calls, begin, state, open, halfOpen };
}

export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
