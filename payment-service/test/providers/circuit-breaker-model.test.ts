import fc from 'fast-check';
import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Consequences } from '../../src/domain/outcome.ts';
import { type CircuitBreakerParameters, createCircuitBreaker } from '../../src/providers/circuit-breaker.ts';
import type { CircuitState } from '../../src/providers/circuit-report.ts';

type Verdict = Consequences['breaker'];
type Handler = 'primary' | 'fallback';

/** The breaker as it is documented. Time is the model's own; it moves from one thing that is due to the next. */
class Model {
  state: CircuitState = 'closed';
  /** Calls that reached the provider. */
  primaryCalls = 0;
  well = true;
  readonly #parameters: CircuitBreakerParameters;
  readonly #checkMs: number;
  #now = 0;
  #failuresInARow = 0;
  /** How many calls a half-open circuit still lets through. */
  #probes = 0;
  /** The window, by the slice of time that a call was made in. Kept for a closed circuit only: it closes with an empty one. */
  #slices = new Map<number, { calls: number; failures: number }>();
  /** When the open time ends; when the check of a half-open circuit ends. */
  #due = Number.POSITIVE_INFINITY;

  constructor(parameters: CircuitBreakerParameters, checkMs: number) {
    this.#parameters = parameters;
    this.#checkMs = checkMs;
  }

  calls(verdicts: Verdict[]): Handler[] {
    const primary = { open: 0, half_open: this.#probes, closed: verdicts.length }[this.state];
    this.primaryCalls += primary;
    this.#probes = 0;
    if (this.state === 'closed') this.#slice().calls += verdicts.length;
    return verdicts.map((verdict, i) => {
      if (i >= primary) return 'fallback';
      this.#learn(verdict);
      return verdict === 'failure' ? 'fallback' : 'primary';
    });
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    while (this.#due <= until) {
      this.#now = this.#due;
      if (this.state === 'open') this.#enter('half_open', this.#checkMs);
      else if (this.well) this.#enter('closed');
      else this.#enter('open', this.#parameters.resetTimeout);
    }
    this.#now = until;
  }

  isAvailable(): boolean {
    return this.state === 'closed' || this.#probes > 0;
  }

  recover(): boolean {
    this.pass(this.#checkMs);
    if (this.well) this.#enter('closed');
    return this.well;
  }

  #learn(verdict: Verdict): void {
    if (verdict === 'ignored') {
      if (this.state === 'closed') this.#slice().calls -= 1;
      return;
    }
    if (this.state === 'half_open') {
      if (verdict === 'failure') this.#enter('open', this.#parameters.resetTimeout);
      else this.#enter('closed');
    } else if (this.state === 'closed' && verdict === 'success') this.#failuresInARow = 0;
    else if (this.state === 'closed' && verdict === 'failure') {
      this.#failuresInARow += 1;
      this.#slice().failures += 1;
      const { consecutiveFailures, volumeThreshold, errorThresholdPercentage } = this.#parameters;
      const { calls, failures } = this.#window();
      const tooManyInAll = calls >= volumeThreshold && (failures / calls) * 100 > errorThresholdPercentage;
      if (this.#failuresInARow >= consecutiveFailures || tooManyInAll)
        this.#enter('open', this.#parameters.resetTimeout);
    }
  }

  #enter(state: CircuitState, dueIn = Number.POSITIVE_INFINITY): void {
    this.state = state;
    this.#due = this.#now + dueIn;
    this.#probes = state === 'half_open' ? 1 : 0;
    this.#failuresInARow = 0;
    this.#slices.clear();
  }

  #slice() {
    return this.#slices.getOrInsert(this.#sliceNow(), { calls: 0, failures: 0 });
  }

  #sliceNow(): number {
    const { rollingCountTimeout, rollingCountBuckets } = this.#parameters;
    return Math.floor(this.#now / Math.floor(rollingCountTimeout / rollingCountBuckets));
  }

  #window() {
    const oldest = this.#sliceNow() - this.#parameters.rollingCountBuckets + 1;
    const inside = [...this.#slices].filter(([slice]) => slice >= oldest).map(([, counts]) => counts);
    return {
      calls: inside.reduce((sum, { calls }) => sum + calls, 0),
      failures: inside.reduce((sum, { failures }) => sum + failures, 0),
    };
  }
}

const verdict = fc.constantFrom<Verdict[]>('success', 'failure', 'failure', 'ignored');
/** `calls` begin together and end one after the other, within the same millisecond. */
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant('calls' as const),
        verdicts: fc.array(verdict, { minLength: 1, maxLength: 6 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(150) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('well' as const), well: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('recover' as const) }) },
  ),
  { maxLength: 40, size: 'max' },
);
const parameters = fc.record<CircuitBreakerParameters>({
  errorThresholdPercentage: fc.integer({ min: 1, max: 99 }),
  volumeThreshold: fc.integer({ min: 1, max: 12 }),
  rollingCountTimeout: fc.integer({ min: 20, max: 400 }),
  rollingCountBuckets: fc.integer({ min: 1, max: 6 }),
  resetTimeout: fc.integer({ min: 10, max: 300 }),
  consecutiveFailures: fc.integer({ min: 1, max: 12 }),
});

function createReal(parameters: CircuitBreakerParameters, checkMs: number) {
  const real = { primaryCalls: 0, well: true };
  const check = async () => {
    await new Promise((resolve) => setTimeout(resolve, checkMs));
    return real.well;
  };
  const breaker = createCircuitBreaker<[verdict: Promise<Verdict>], Handler>({
    provider: 'Aldeamo',
    parameters,
    check,
    action: async (verdict) => {
      real.primaryCalls += 1;
      return { result: 'primary', verdict: await verdict, reason: 'connection_refused' };
    },
    fallback: async () => 'fallback',
    log: { info() {}, warn() {} } as unknown as FastifyBaseLogger,
  });
  return Object.assign(real, { breaker });
}

async function callTogether({ breaker }: ReturnType<typeof createReal>, verdicts: Verdict[]) {
  const underWay = verdicts.map((verdict) => {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    return { handled: breaker.fire(promise), end: () => resolve(verdict) };
  });
  const handlers: Handler[] = [];
  for (const { handled, end } of underWay) {
    end();
    handlers.push(await handled);
  }
  return handlers;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

// A second on an idle machine; the rest of the time is for one that is busy, or for shrinking what failed.
test('whatever happens in whatever order, it does what its documented behaviour says', {
  timeout: 30_000,
}, async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(
    parameters,
    fc.integer({ min: 1, max: 50 }),
    steps,
    async (given, checkMs, sequence) => {
      vi.clearAllTimers(); // those of the breaker before
      const model = new Model(given, checkMs);
      const real = createReal(given, checkMs);
      for (const step of sequence) {
        const before = model.state;
        switch (step.type) {
          case 'calls':
            expect(await callTogether(real, step.verdicts)).toEqual(model.calls(step.verdicts));
            break;
          case 'pass':
            await vi.advanceTimersByTimeAsync(step.ms);
            model.pass(step.ms);
            break;
          case 'well':
            real.well = step.well;
            model.well = step.well;
            break;
          case 'recover': {
            const recovered = real.breaker.recover();
            await vi.advanceTimersByTimeAsync(checkMs);
            expect(await recovered).toBe(model.recover());
          }
        }
        expect(real.breaker.report().state).toBe(model.state);
        expect(real.breaker.isAvailable()).toBe(model.isAvailable());
        expect(real.primaryCalls).toBe(model.primaryCalls);
        seen.add(`${step.type}: ${before} to ${model.state}`);
      }
    },
  );
  await fc.assert(property, { seed: 20260102, numRuns: 500 });
  // The sequences are worth something only if they get around.
  expect([...seen].sort()).toEqual(
    expect.arrayContaining([
      'calls: closed to closed',
      'calls: closed to open',
      'calls: half_open to closed',
      'calls: half_open to open',
      'calls: open to open',
      'pass: half_open to closed',
      'pass: half_open to open',
      'pass: open to closed',
      'pass: open to half_open',
      'recover: half_open to closed',
      'recover: open to closed',
      'recover: open to open',
    ]),
  );
});
