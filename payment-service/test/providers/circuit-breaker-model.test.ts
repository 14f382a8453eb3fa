import fc from 'fast-check';
import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Consequences } from '../../src/domain/outcome.ts';
import { type CircuitBreakerParameters, createCircuitBreaker } from '../../src/providers/circuit-breaker.ts';
import type { CircuitReport, CircuitState } from '../../src/providers/circuit-report.ts';
import { accountRefused } from '../../src/providers/circuit-state.ts';
import { upstreamHealth } from '../fixture.ts';

/** `refused`: a failure of which the provider refuses the account. */
type CountsAs = Consequences['breaker'] | 'refused';
type Health = 'healthy' | 'unhealthy' | 'refused';
type Handler = 'primary' | 'fallback';
type Rule = 'rate' | 'run of few calls' | 'run that lasts';
interface EndedCall {
  at: number;
  failed: boolean;
}

/** The breaker as docs/delivery.md documents it, over the list of all calls that ended. Its time is in milliseconds. */
class Model {
  state: CircuitState = 'closed';
  health: Health = 'healthy';
  /** When it opened or closed, whatever probes have failed since. */
  since = 0;
  /** When a probe or a check last left it open or half-open. */
  checkedAt: number | undefined;
  /** The provider has refused the account since it opened. */
  isRefused = false;
  /** The rules that opened it, each without the others. */
  readonly decided = new Set<Rule>();
  #now = 0;
  /** The calls that count for the present state, the oldest first. */
  #ended: EndedCall[] = [];
  /** Incremented at each transition: results of calls from an earlier state are ignored. */
  generation = 0;
  #mayProbe = false;
  /** When the open time ends, or the background check of a half-open circuit. */
  #due = Number.POSITIVE_INFINITY;
  readonly #given: CircuitBreakerParameters;
  readonly #checkMs: number;

  constructor(given: CircuitBreakerParameters, checkMs: number) {
    this.#given = given;
    this.#checkMs = checkMs;
  }

  get isAvailable(): boolean {
    return this.state === 'closed' || this.#mayProbe;
  }

  begin(): Handler {
    const handler = this.isAvailable ? 'primary' : 'fallback';
    this.#mayProbe = false;
    return handler;
  }

  end(generation: number, countsAs: CountsAs): void {
    if (generation !== this.generation || countsAs === 'ignored') return;
    const failed = countsAs !== 'success';
    this.#ended.push({ at: this.#now, failed });
    if (this.state === 'half_open' && !failed) this.#enter('closed');
    else if (this.state === 'half_open' || countsAs === 'refused' || (failed && this.#rule() !== undefined))
      this.#open(countsAs === 'refused');
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    while (this.#due <= until) {
      this.#now = this.#due;
      if (this.state === 'open') this.#enter('half_open', this.#checkMs);
      else if (this.health === 'healthy') this.#enter('closed');
      else this.#open(this.health === 'refused');
    }
    this.#now = until;
  }

  recover(): boolean {
    this.pass(this.#checkMs);
    if (this.health === 'healthy') this.#enter('closed');
    else if (this.state !== 'closed') this.#record(this.health === 'refused');
    return this.health === 'healthy';
  }

  /** The figures of a closed circuit. */
  counts() {
    const { rollingCountTimeout, rollingCountBuckets } = this.#given;
    const sliceMs = Math.floor(rollingCountTimeout / rollingCountBuckets);
    const sliceOf = (at: number) => Math.floor(at / sliceMs);
    const inWindow = this.#ended.filter(({ at }) => sliceOf(this.#now) - sliceOf(at) < rollingCountBuckets);
    return {
      calls: inWindow.length,
      failures: inWindow.filter(({ failed }) => failed).length,
      consecutive_failures: this.#run().length,
    };
  }

  #run(): EndedCall[] {
    return this.#ended.slice(this.#ended.findLastIndex(({ failed }) => !failed) + 1);
  }

  /** The rule by which a failure opens the circuit. */
  #rule(): Rule | undefined {
    const { calls, failures } = this.counts();
    const { volumeThreshold, errorThresholdPercentage, consecutiveFailures } = this.#given;
    const run = this.#run();
    const lasted = this.#now - (run[0]?.at ?? this.#now);
    const rules: Record<Rule, boolean> = {
      rate: calls >= volumeThreshold && (failures / calls) * 100 > errorThresholdPercentage,
      'run of few calls': run.length >= consecutiveFailures && calls < 20,
      'run that lasts': run.length >= consecutiveFailures && lasted >= 1000,
    };
    const applicable = (Object.keys(rules) as Rule[]).filter((rule) => rules[rule]);
    if (applicable.length === 1) this.decided.add(applicable[0] as Rule);
    return applicable[0];
  }

  #open(isRefused: boolean): void {
    const wasClosed = this.state === 'closed';
    this.#enter('open', this.#given.resetTimeout);
    if (wasClosed) this.isRefused = isRefused;
    else this.#record(isRefused);
  }

  #record(isRefused: boolean): void {
    this.checkedAt = this.#now;
    this.isRefused ||= isRefused;
  }

  #enter(state: CircuitState, dueIn = Number.POSITIVE_INFINITY): void {
    if ((this.state === 'closed') !== (state === 'closed')) {
      this.since = this.#now;
      this.checkedAt = undefined;
      this.isRefused = false;
    }
    this.state = state;
    this.generation += 1;
    this.#due = this.#now + dueIn;
    this.#mayProbe = state === 'half_open';
    this.#ended = [];
  }
}

const countsAs = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<CountsAs[]>('success', 'failure', 'failure', 'ignored') },
  { weight: 1, arbitrary: fc.constant<CountsAs>('refused') },
);
const times = fc.integer({ min: 1, max: 8 });
const begin = fc.record({ type: fc.constant('begin' as const), times });
/** `which` of those under way ends, so that they end in any order; `times` of them after each other. */
const end = fc.record({
  type: fc.constant('end' as const),
  which: fc.nat(99),
  times,
  countsAs,
});
const health = fc.record({
  type: fc.constant('health' as const),
  health: fc.constantFrom<Health[]>('healthy', 'unhealthy', 'refused'),
});
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: begin },
    { weight: 6, arbitrary: end },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(150) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(1500) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('busy' as const) }) },
    { weight: 1, arbitrary: health },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('recover' as const) }) },
  ),
  { maxLength: 60, size: 'max' },
);
const general = {
  errorThresholdPercentage: fc.integer({ min: 1, max: 99 }),
  volumeThreshold: fc.integer({ min: 1, max: 12 }),
  rollingCountTimeout: fc.integer({ min: 20, max: 3000 }),
  rollingCountBuckets: fc.integer({ min: 1, max: 6 }),
  resetTimeout: fc.integer({ min: 10, max: 300 }),
  consecutiveFailures: fc.integer({ min: 1, max: 12 }),
};
/** A window in which the rate never decides, and 20 calls stay for longer than a second. */
const ruledByRuns = {
  ...general,
  volumeThreshold: fc.constant(1_000_000),
  rollingCountTimeout: fc.constant(6000),
  consecutiveFailures: fc.integer({ min: 1, max: 4 }),
};
const parameters = fc.oneof(
  fc.record<CircuitBreakerParameters>(general),
  fc.record<CircuitBreakerParameters>(ruledByRuns),
);

const refusal = accountRefused('credentials');

/** The breaker, and its calls under way. Each ends when the test says so. */
function createReal(parameters: CircuitBreakerParameters, checkMs: number) {
  const real = { health: 'healthy' as Health, calls: 0 };
  const breaker = createCircuitBreaker<[countsAs: Promise<CountsAs>], Handler>({
    provider: 'Aldeamo',
    parameters,
    check: async () => {
      await new Promise((resolve) => setTimeout(resolve, checkMs));
      return real.health === 'refused'
        ? { status: 'unhealthy', reason: 'credentials', account_refused: true }
        : upstreamHealth(real.health === 'healthy');
    },
    action: async (given) => {
      real.calls += 1;
      const countsAs = await given;
      return countsAs === 'refused'
        ? { result: 'primary', countsAs: 'failure', opensCircuit: refusal, reason: 'credentials' }
        : { result: 'primary', countsAs, reason: 'connection_refused' };
    },
    fallback: async () => 'fallback',
    log: { info() {}, warn() {} } as unknown as FastifyBaseLogger,
  });
  const begin = () => {
    const { promise, resolve } = Promise.withResolvers<CountsAs>();
    const before = real.calls;
    const handled = breaker.fire(promise);
    return { handler: real.calls > before ? 'primary' : 'fallback', handled, end: resolve };
  };
  return Object.assign(real, { breaker, begin });
}

interface CallUnderWay extends ReturnType<ReturnType<typeof createReal>['begin']> {
  generation: number;
}

/** Both, driven by the same steps. */
function createPair(given: CircuitBreakerParameters, checkMs: number) {
  const model = new Model(given, checkMs);
  const real = createReal(given, checkMs);
  const underWay: CallUnderWay[] = [];
  const startedAt = Date.now();
  let opening = { since: -1, reason: '' };

  async function begin(): Promise<void> {
    const { generation } = model;
    const expected = model.begin();
    const call = real.begin();
    expect(call.handler).toBe(expected);
    if (expected === 'primary') underWay.push({ ...call, generation });
    else expect(await call.handled).toBe('fallback');
  }

  async function end(which: number, countsAs: CountsAs): Promise<void> {
    const [call] = underWay.splice(which % underWay.length, 1);
    if (!call) return;
    call.end(countsAs);
    model.end(call.generation, countsAs);
    const failed = countsAs === 'failure' || countsAs === 'refused';
    expect(await call.handled).toBe(failed ? 'fallback' : 'primary');
  }

  async function take(step: typeof steps extends fc.Arbitrary<(infer Step)[]> ? Step : never) {
    switch (step.type) {
      case 'begin':
        for (let i = 0; i < step.times; i += 1) await begin();
        break;
      case 'end':
        for (let i = 0; i < step.times; i += 1) await end(step.which, step.countsAs);
        break;
      case 'busy': // what makes short runs of failures a matter of chance
        for (let i = 0; i < 25; i += 1) {
          await begin();
          await end(underWay.length - 1, 'success');
        }
        break;
      case 'pass':
        await vi.advanceTimersByTimeAsync(step.ms);
        model.pass(step.ms);
        break;
      case 'health':
        real.health = step.health;
        model.health = step.health;
        break;
      case 'recover': {
        const recovered = real.breaker.recover();
        await vi.advanceTimersByTimeAsync(checkMs);
        expect(await recovered).toBe(model.recover());
      }
    }
  }

  function compare(): void {
    const report = real.breaker.report();
    expect(report.state).toBe(model.state);
    expect(real.breaker.isAvailable()).toBe(model.isAvailable);
    expect(Date.parse(report.since) - startedAt).toBe(model.since);
    if (model.state === 'closed') expect(report).toMatchObject({ ...model.counts(), last_check: null });
    else compareOpening(report);
  }

  /** While it is not closed, its reason stays, but for a refused account. */
  function compareOpening({ reason, last_check }: CircuitReport): void {
    const checkedAt = last_check ? Date.parse(last_check.at) - startedAt : undefined;
    expect(checkedAt).toBe(model.checkedAt);
    if (model.since !== opening.since) {
      opening = { since: model.since, reason };
      if (!model.isRefused) expect(reason).toMatch(/^\d+ (of \d+ calls failed|failures in a row)/);
    }
    expect(reason).toBe(model.isRefused ? refusal : opening.reason);
  }
  return { model, take, compare };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

// A second or two on an idle machine; the rest of the time is for one that is busy, or for shrinking what failed.
test('given calls that last, end in any order and with any result, the breaker does what its documentation says', {
  timeout: 60_000,
}, async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(
    parameters,
    fc.integer({ min: 1, max: 200 }),
    steps,
    async (given, checkMs, sequence) => {
      vi.clearAllTimers(); // those of the breaker before
      const { model, take, compare } = createPair(given, checkMs);
      for (const step of sequence) {
        const { state: before, isRefused: wasRefused } = model;
        await take(step);
        compare();
        seen.add(`${step.type}: ${before} to ${model.state}`);
        if (!wasRefused && model.isRefused) seen.add(`${step.type}: ${before}, then refused`);
      }
      for (const rule of model.decided) seen.add(rule);
    },
  );
  await fc.assert(property, { seed: 20260102, numRuns: 400 });
  // The sequences prove nothing unless they reach every transition and every rule.
  expect([...seen].sort()).toEqual(
    expect.arrayContaining([
      'begin: open to open',
      'end: closed to closed',
      'end: closed to open',
      'end: half_open to closed',
      'end: half_open to open',
      'pass: half_open to closed',
      'pass: half_open to open',
      'pass: open to closed',
      'pass: open to half_open',
      'recover: half_open to closed',
      'recover: open to closed',
      'recover: open to open',
      'end: closed, then refused',
      'end: half_open, then refused',
      'pass: half_open, then refused',
      'pass: open, then refused',
      'recover: open, then refused',
      'rate',
      'run of few calls',
      'run that lasts',
    ]),
  );
});
