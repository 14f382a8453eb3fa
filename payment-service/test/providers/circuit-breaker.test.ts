import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Consequences } from '../../src/domain/outcome.ts';
import {
  type CircuitBreakerParameters,
  circuitBreakerDefaults,
  createCircuitBreaker,
} from '../../src/providers/circuit-breaker.ts';

// The traps that comments name are those of opossum 10, by their numbers in the notes that the breaker was built from.

type Verdict = Consequences['breaker'];

interface RigOptions {
  parameters?: Partial<CircuitBreakerParameters>;
  check?: () => Promise<boolean>;
  log?: FastifyBaseLogger;
  fallback?: () => Promise<string>;
}

const deadline = 3000;
const { resetTimeout, rollingCountTimeout } = circuitBreakerDefaults;
const never = () => new Promise<never>(() => {});
/** Leaves the other rule alone to act. */
const byRateOnly = { consecutiveFailures: 1_000_000 };
const inARowOnly = { volumeThreshold: 1_000_000 };

/** A breaker whose primary is "Aldeamo" and whose fallback is "Twilio": what a call resolves to is who handled it. */
function setUp({ parameters, check = never, log, fallback = async () => 'Twilio' }: RigOptions = {}) {
  const sends = { Aldeamo: 0, Twilio: 0 };
  const failedResults: unknown[] = [];
  const logged: { circuit: string; previous: string; reason: string }[] = [];
  const note = (entry: (typeof logged)[number]) => logged.push(entry);
  const breaker = createCircuitBreaker<[verdict: Verdict | Promise<Verdict>], string>({
    provider: 'Aldeamo',
    parameters: { ...circuitBreakerDefaults, ...parameters },
    action: async (verdict) => {
      sends.Aldeamo += 1;
      return { result: 'Aldeamo', countsAs: await verdict, reason: 'connection_refused' };
    },
    fallback: (failed) => {
      sends.Twilio += 1;
      failedResults.push(failed);
      return fallback();
    },
    check,
    log: log ?? ({ info: note, warn: note } as unknown as FastifyBaseLogger),
  });
  const call = (verdict: Verdict) => breaker.fire(verdict);
  const calls = async (count: number, verdict: Verdict) => {
    for (let i = 0; i < count; i += 1) await call(verdict);
  };
  /** A call that is under way until it is settled. */
  const begin = () => {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const handled = breaker.fire(promise);
    const settle = (verdict: Verdict) => {
      resolve(verdict);
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
  return { breaker, sends, failedResults, logged, call, calls, begin, state, open, halfOpen };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

// Trap 14: a breaker keeps the timers that it was constructed with, so the fake ones come first.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('it opens', () => {
  // Trap 1: opossum opens above the threshold, not at it.
  test.each([
    { percentage: 50, successes: 50, failures: 50 },
    { percentage: 1, successes: 99, failures: 1 },
    { percentage: 99, successes: 1, failures: 99 },
  ])('above $percentage% failures, not at exactly that', async ({ percentage, successes, failures }) => {
    const { calls, state } = setUp({ parameters: { ...byRateOnly, errorThresholdPercentage: percentage } });
    await calls(successes, 'success');
    await calls(failures, 'failure');
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test('on failures in a row even where the percentage is 100, which opossum never exceeds', async () => {
    const { open } = setUp({ parameters: { errorThresholdPercentage: 100 } }); // trap 1
    await open();
  });

  test('from the volume on, however many of fewer calls failed', async () => {
    const { calls, state } = setUp({ parameters: byRateOnly });
    await calls(4, 'failure');
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test('on the third failure in a row, below the volume', async () => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(2, 'failure');
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test.each<[between: Verdict, state: string]>([
    ['success', 'closed'],
    ['ignored', 'open'],
  ])('in a row: a %s between the second and the third leaves it %s', async (between, expected) => {
    const { call, calls, state } = setUp({ parameters: inARowOnly });
    await calls(2, 'failure');
    await call(between);
    await call('failure');
    expect(state()).toBe(expected);
  });

  // Trap 2: opossum counts calls under way as calls that did not fail: by rate, 200 of them would need 101 failures.
  test('on the third failure among 200 calls under way', async () => {
    const { begin, state, sends } = setUp();
    const underWay = Array.from({ length: 200 }, begin);
    for (const { settle } of underWay.slice(0, 2)) await settle('failure');
    expect(state()).toBe('closed');
    await underWay[2]?.settle('failure');
    expect(state()).toBe('open');
    await expect(begin().handled).resolves.toBe('Twilio');
    expect(sends.Aldeamo).toBe(200);
  });

  // Trap 4: the calls must still be in the window when the last one fails. config.ts sees to it that they are.
  test('by rate, where each call takes its whole deadline and they come one after the other', async () => {
    const { begin, state } = setUp({ parameters: byRateOnly });
    for (let i = 0; i < 5; i += 1) {
      expect(state()).toBe('closed');
      const { settle } = begin();
      await pass(deadline);
      await settle('failure');
    }
    expect(state()).toBe('open');
  });

  test('in a row, where a whole window passes between one failure and the next', async () => {
    const { call, state } = setUp(); // trap 4
    for (let i = 0; i < 3; i += 1) {
      expect(state()).toBe('closed');
      await pass(rollingCountTimeout + 1);
      await call('failure');
    }
    expect(state()).toBe('open');
  });
});

// Ten slices of 3 s. A call leaves with its slice, when the window's length has passed since the slice began. Trap 14:
// the breaker's own interval moves the window; one it did not get from the fake clock would leave it standing still.
test.each([
  { begun: 0, at: 29_999, expected: 'open' },
  { begun: 0, at: 30_000, expected: 'closed' },
  { begun: 0, at: 30_001, expected: 'closed' },
  { begun: 2999, at: 29_999, expected: 'open' },
  { begun: 2999, at: 30_000, expected: 'closed' },
  { begun: 3000, at: 32_999, expected: 'open' },
  { begun: 3000, at: 33_000, expected: 'closed' },
])('4 failures at $begun ms and one at $at ms: $expected', async ({ begun, at, expected }) => {
  const { breaker, calls, state } = setUp({ parameters: byRateOnly });
  await pass(begun);
  await calls(4, 'failure');
  await pass(at - begun);
  await calls(1, 'failure');
  expect(state()).toBe(expected);
  expect(breaker.report().failures).toBe(expected === 'open' ? 5 : 1);
});

describe('while open', () => {
  test('Aldeamo is not called, and each call gets the fallback, without a failed result', async () => {
    const { open, calls, sends, failedResults } = setUp();
    await open();
    await calls(10, 'success');
    expect(sends).toEqual({ Aldeamo: 3, Twilio: 13 });
    expect(failedResults).toEqual([...Array(3).fill('Aldeamo'), ...Array(10).fill(undefined)]);
  });

  // Trap 12: the open time is counted from the opening, to the millisecond.
  test('it lets nothing through for exactly the open time', async () => {
    const { breaker, open, state } = setUp();
    await pass(1234);
    await open();
    await pass(resetTimeout - 1);
    expect(state()).toBe('open');
    expect(breaker.isAvailable()).toBe(false);
    await pass(1);
    expect(state()).toBe('half_open');
    expect(breaker.isAvailable()).toBe(true);
  });
});

describe('a payment as the probe', () => {
  // Trap 5.
  test('is one of 50 concurrent ones; the other 49 get the fallback', async () => {
    const { breaker, halfOpen, begin, sends } = setUp();
    await halfOpen();
    const before = { ...sends };
    const underWay = Array.from({ length: 50 }, begin);
    expect(breaker.isAvailable()).toBe(false);
    const handled = await Promise.all(underWay.map(({ settle }) => settle('success')));
    expect(handled).toEqual(['Aldeamo', ...Array(49).fill('Twilio')]);
    expect(sends).toEqual({ Aldeamo: before.Aldeamo + 1, Twilio: before.Twilio + 49 });
  });

  test('closes the circuit by its success', async () => {
    const { breaker, halfOpen, call } = setUp();
    await halfOpen();
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'the probe succeeded' });
  });

  test('opens it again by its failure, for a whole open time', async () => {
    const { breaker, halfOpen, call, state } = setUp();
    await halfOpen();
    await expect(call('failure')).resolves.toBe('Twilio');
    expect(breaker.report()).toMatchObject({ state: 'open', reason: 'the probe failed' });
    await pass(resetTimeout - 1);
    expect(state()).toBe('open');
    await pass(1);
    expect(state()).toBe('half_open');
  });

  // Trap 5: a probe that never settles would wedge the circuit, so every call ends by its deadline.
  test('that ends by its deadline opens it again, and the circuit recovers later', async () => {
    const { halfOpen, begin, call, state } = setUp();
    await halfOpen();
    const { settle } = begin();
    await pass(deadline);
    await expect(settle('failure')).resolves.toBe('Twilio');
    expect(state()).toBe('open');
    await pass(resetTimeout);
    await call('success');
    expect(state()).toBe('closed');
  });

  test.each([
    [true, 'closed'],
    [false, 'open'],
  ])('that hangs wedges nothing: the background check says %s, and the circuit is %s', async (well, next) => {
    const check = () => new Promise<boolean>((resolve) => setTimeout(resolve, deadline, well));
    const { halfOpen, begin, state } = setUp({ check });
    await halfOpen();
    begin();
    await pass(deadline); // trap 5
    expect(state()).toBe(next);
  });

  // Trap 8: what opossum is told is no failure closes a half-open circuit.
  test('that says nothing about the provider leaves the decision to the background check', async () => {
    const { halfOpen, call, state } = setUp();
    await halfOpen();
    await expect(call('ignored')).resolves.toBe('Aldeamo');
    expect(state()).toBe('half_open');
    await expect(call('success')).resolves.toBe('Twilio'); // the one probe is spent
  });
});

describe('the background check', () => {
  test('closes the circuit without any traffic', async () => {
    const { breaker, open, sends } = setUp({ check: async () => true });
    await open();
    await pass(resetTimeout);
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'the background check succeeded' });
    expect(sends.Aldeamo).toBe(3);
  });

  test('keeps it open for as long as it fails, with no customer as the probe', async () => {
    let well = false;
    const check = vi.fn(async () => well);
    const { open, state, logged, sends } = setUp({ check });
    await open();
    await pass(60_000);
    expect(check).toHaveBeenCalledTimes(4);
    expect(logged.map(({ circuit }) => circuit)).toEqual(
      ['open', ...Array(4).fill(['half_open', 'open'])].flat(),
    );
    well = true;
    await pass(resetTimeout);
    expect(state()).toBe('closed');
    expect(sends.Aldeamo).toBe(3);
  });

  test('that ends after a payment has decided is not listened to', async () => {
    const check = () => new Promise<boolean>((resolve) => setTimeout(resolve, deadline, false));
    const { halfOpen, call, state } = setUp({ check });
    await halfOpen();
    await call('success');
    await pass(deadline);
    expect(state()).toBe('closed');
  });
});

describe('after a recovery', () => {
  // Trap 3: closing does not clear opossum's statistics.
  const well = async () => true;
  test.each<
    [how: string, check: () => Promise<boolean>, (rig: ReturnType<typeof setUp>) => Promise<unknown>]
  >([
    ['a payment', never, ({ call }) => pass(resetTimeout).then(() => call('success'))],
    ['the background check', well, () => pass(resetTimeout)],
    ['a person', well, ({ breaker }) => breaker.recover()],
  ])('by %s, a single failure does not open it', async (_how, check, recover) => {
    const rig = setUp({ check, parameters: byRateOnly });
    await rig.calls(5, 'failure');
    expect(rig.state()).toBe('open');
    await recover(rig);
    expect(rig.breaker.report()).toMatchObject({ state: 'closed', calls: 0, failures: 0 });
    await rig.call('failure');
    expect(rig.breaker.report()).toMatchObject({ state: 'closed', calls: 1, failures: 1 });
  });

  // Trap 2: opossum counts rejected calls as calls that did not fail.
  test('the next outage opens it as promptly as the first, however many were rejected before', async () => {
    const { calls, state } = setUp({ parameters: byRateOnly });
    await calls(5, 'failure');
    expect(state()).toBe('open');
    await calls(300, 'success');
    await pass(resetTimeout);
    await calls(1, 'success');
    expect(state()).toBe('closed');
    await calls(5, 'failure');
    expect(state()).toBe('open');
  });
});

// Trap 6: opossum has no generations, and would let what began in an earlier state have its say in a later one.
describe('a late result', () => {
  test.each<[Verdict, string]>([
    ['success', 'Aldeamo'],
    ['failure', 'Twilio'],
  ])('%s of a call that began closed, into the open circuit: it stays open', async (verdict, handler) => {
    const { begin, open, state, sends } = setUp();
    const late = begin();
    await open();
    await expect(late.settle(verdict)).resolves.toBe(handler);
    expect(state()).toBe('open');
    expect(sends).toEqual({ Aldeamo: 4, Twilio: handler === 'Twilio' ? 4 : 3 });
    await pass(resetTimeout);
    expect(state()).toBe('half_open');
  });

  test.each<[Verdict, string]>([
    ['success', 'Aldeamo'],
    ['failure', 'Twilio'],
  ])('%s of a call that began closed, into the half-open circuit: it decides nothing', async (verdict, handler) => {
    const { begin, halfOpen, call, state } = setUp();
    const late = begin();
    await halfOpen();
    await expect(late.settle(verdict)).resolves.toBe(handler);
    expect(state()).toBe('half_open');
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(state()).toBe('closed');
  });

  test('success into the circuit that is closed again does not hide two failures of now', async () => {
    const { begin, breaker, open, calls, state } = setUp({ check: async () => true });
    const late = begin();
    await open();
    await breaker.recover();
    await calls(2, 'failure');
    await expect(late.settle('success')).resolves.toBe('Aldeamo');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test('failure into the circuit that is closed again is no third one in a row', async () => {
    const { begin, breaker, open, calls, state } = setUp({ check: async () => true });
    const late = begin();
    await open();
    await breaker.recover();
    await calls(2, 'failure');
    await expect(late.settle('failure')).resolves.toBe('Twilio');
    expect(state()).toBe('closed');
    expect(breaker.report().consecutive_failures).toBe(2);
  });

  test('failures into the circuit that is closed again do not open it by rate', async () => {
    const { begin, breaker, open, calls, state } = setUp({ check: async () => true });
    const late = [begin(), begin(), begin()];
    await open();
    await breaker.recover();
    await calls(5, 'success');
    for (const { settle } of late) await settle('failure');
    expect(state()).toBe('closed');
  });

  test.each<[well: boolean, verdict: Verdict, next: string]>([
    [true, 'success', 'closed'],
    [true, 'failure', 'closed'],
    [false, 'success', 'open'],
    [false, 'failure', 'open'],
  ])('of a probe, after the background check has said %s: %s leaves it %s', async (well, verdict, next) => {
    const check = () => new Promise<boolean>((resolve) => setTimeout(resolve, 10, well));
    const { begin, breaker, halfOpen, state } = setUp({ check });
    await halfOpen();
    const probe = begin();
    await pass(10);
    expect(state()).toBe(next);
    await probe.settle(verdict);
    expect(state()).toBe(next);
    expect(breaker.report().consecutive_failures).toBe(0);
  });
});

describe('no SMS goes out twice', () => {
  // Trap 7: opossum's own timeout, 10 s by default, runs the fallback beside a call that goes on.
  test('where a call takes longer than any timeout of opossum and succeeds', async () => {
    const { begin, sends } = setUp();
    const slow = begin();
    await pass(60_000);
    await expect(slow.settle('success')).resolves.toBe('Aldeamo');
    expect(sends).toEqual({ Aldeamo: 1, Twilio: 0 });
  });

  // Trap 11: a listener that throws makes opossum count a failure and run the fallback, or never settle the call.
  test('where every line that is logged throws, and every call is handled as ever', async () => {
    const broken = () => {
      throw new Error('disk full');
    };
    const log = { info: broken, warn: broken } as unknown as FastifyBaseLogger;
    const { call, state, sends } = setUp({ log });
    const handled: string[] = [];
    for (let i = 0; i < 3; i += 1) handled.push(await call('failure'));
    expect(state()).toBe('open');
    await pass(resetTimeout);
    expect(state()).toBe('half_open');
    handled.push(await call('failure'));
    expect(state()).toBe('open');
    await pass(resetTimeout);
    handled.push(await call('success'));
    expect(state()).toBe('closed');
    expect(handled).toEqual(['Twilio', 'Twilio', 'Twilio', 'Twilio', 'Aldeamo']);
    expect(sends).toEqual({ Aldeamo: 5, Twilio: 4 });
  });

  // Trap 8: opossum rejects a call whose error its errorFilter lets pass.
  test('where a call says nothing about the provider: it resolves, without the fallback', async () => {
    const { breaker, call, sends } = setUp();
    await expect(call('ignored')).resolves.toBe('Aldeamo');
    expect(sends).toEqual({ Aldeamo: 1, Twilio: 0 });
    expect(breaker.report()).toMatchObject({ failures: 0, consecutive_failures: 0 });
  });
});

describe('what is no sign of an outage', () => {
  // Trap 10: opossum counts a full queue of our own as a failure of the provider, so it is given no capacity.
  test('never opens it, be it 1000 calls under way at once', async () => {
    const { begin, state } = setUp();
    const underWay = Array.from({ length: 1000 }, begin);
    await Promise.all(underWay.map(({ settle }, i) => settle(i % 2 ? 'ignored' : 'success')));
    expect(state()).toBe('closed');
  });

  // Or a surge that fills our own queue, because Aldeamo is slow, would take the rate rule out of action just then.
  test('does not hide an outage from the rate', async () => {
    const { calls, state } = setUp({ parameters: byRateOnly });
    await calls(10, 'ignored');
    await calls(5, 'failure');
    expect(state()).toBe('open');
  });
});

// Trap 9: the fallback has no timeout, and its error takes the place of the first one. So it carries its own deadline,
// and is handed the failed result to keep.
test('a fallback that throws: its error reaches the caller, who knows the failed result, and counts nothing', async () => {
  const fallback = () => Promise.reject(new Error('store unavailable'));
  const { breaker, call, failedResults } = setUp({ fallback });
  await expect(call('failure')).rejects.toThrow('store unavailable');
  expect(failedResults).toEqual(['Aldeamo']);
  expect(breaker.report()).toMatchObject({ calls: 1, failures: 1, consecutive_failures: 1 });
});

describe('recover', () => {
  test('closes an open circuit at once if the provider is well, for good', async () => {
    const { breaker, open, logged } = setUp({ check: async () => true });
    await open();
    await expect(breaker.recover()).resolves.toBe(true);
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'closed by hand' });
    await pass(60_000); // trap 12: the timer of the open time is gone
    expect(logged.map(({ circuit }) => circuit)).toEqual(['open', 'closed']);
  });

  test('leaves it open if the provider is not', async () => {
    const { breaker, open, state } = setUp({ check: async () => false });
    await open();
    await expect(breaker.recover()).resolves.toBe(false);
    expect(state()).toBe('open');
  });

  test('wipes the slate of a closed circuit', async () => {
    const { breaker, calls } = setUp({ check: async () => true });
    await calls(2, 'failure');
    await expect(breaker.recover()).resolves.toBe(true);
    expect(breaker.report()).toMatchObject({
      state: 'closed',
      calls: 0,
      failures: 0,
      consecutive_failures: 0,
    });
  });

  test('is not undone by a background check that began before it', async () => {
    const answers = [false, true];
    const check = () => {
      const well = answers.shift() ?? true;
      return new Promise<boolean>((resolve) => setTimeout(resolve, well ? 10 : 20, well));
    };
    const { breaker, halfOpen, state } = setUp({ check });
    await halfOpen();
    const recovered = breaker.recover();
    await pass(20);
    await expect(recovered).resolves.toBe(true);
    expect(state()).toBe('closed');
  });
});

describe('report', () => {
  const start = '2026-01-02T03:04:05.000Z';
  const later = (ms: number) => new Date(Date.parse(start) + ms).toISOString();
  beforeEach(() => {
    vi.setSystemTime(start);
  });

  test('of a new breaker: closed, with nothing counted', () => {
    expect(setUp().breaker.report()).toEqual({
      state: 'closed',
      since: start,
      reason: 'start',
      consecutive_failures: 0,
      calls: 0,
      failures: 0,
      next_probe_at: null,
    });
  });

  test('of a closed one: the calls of the window', async () => {
    const { breaker, calls } = setUp();
    await calls(3, 'success');
    await calls(2, 'failure');
    expect(breaker.report()).toMatchObject({ calls: 5, failures: 2, consecutive_failures: 2 });
  });

  test('of one opened by failures in a row: why, since when, until when, and no rejected calls', async () => {
    const { breaker, open, calls } = setUp();
    await pass(1000);
    await open();
    await calls(7, 'success');
    expect(breaker.report()).toEqual({
      state: 'open',
      since: later(1000),
      reason: '3 failures in a row, the last: connection_refused',
      consecutive_failures: 0,
      calls: 3,
      failures: 3,
      next_probe_at: later(1000 + resetTimeout),
    });
  });

  test('of one opened by rate: how many of how many', async () => {
    const { breaker, calls } = setUp({ parameters: byRateOnly });
    await calls(2, 'success');
    await calls(3, 'failure');
    expect(breaker.report()).toMatchObject({ state: 'open', reason: '3 of 5 calls failed' });
  });

  test('of a half-open one: no next probe', async () => {
    const { breaker, halfOpen } = setUp();
    await halfOpen();
    expect(breaker.report()).toMatchObject({
      state: 'half_open',
      since: later(resetTimeout),
      reason: `open for ${resetTimeout} ms`,
      next_probe_at: null,
    });
  });

  test('goes into the log with every change of state', async () => {
    const { halfOpen, call, logged } = setUp();
    await halfOpen();
    await call('success');
    const reason = expect.any(String);
    expect(logged).toEqual([
      { provider: 'Aldeamo', previous: 'closed', circuit: 'open', reason },
      { provider: 'Aldeamo', previous: 'open', circuit: 'half_open', reason },
      { provider: 'Aldeamo', previous: 'half_open', circuit: 'closed', reason },
    ]);
  });
});

describe('two breakers', () => {
  // Trap 13: opossum writes into its options, and throws where they are frozen.
  test('may be given the same frozen parameters', async () => {
    const parameters = Object.freeze({ ...circuitBreakerDefaults });
    const given = { provider: 'Aldeamo' as const, parameters, check: never, fallback: async () => '' };
    const log = { info() {}, warn() {} } as unknown as FastifyBaseLogger;
    const action = async () => ({ result: 'sent', countsAs: 'success' as const, reason: null });
    await expect(createCircuitBreaker({ ...given, action, log }).fire()).resolves.toBe('sent');
    await expect(createCircuitBreaker({ ...given, action, log }).fire()).resolves.toBe('sent');
    expect(parameters).toEqual(circuitBreakerDefaults);
  });

  test('share no state: neither counts, nor window, nor being open', async () => {
    const parameters = { ...circuitBreakerDefaults };
    const [one, other] = [setUp({ parameters }), setUp({ parameters })];
    await one.open();
    expect(other.breaker.report()).toMatchObject({ state: 'closed', calls: 0, consecutive_failures: 0 });
    await expect(other.call('success')).resolves.toBe('Aldeamo');
    await one.call('success');
    expect(other.breaker.report().calls).toBe(1);
    one.breaker.shutdown();
    await expect(other.call('success')).resolves.toBe('Aldeamo');
  });
});

describe('shutdown', () => {
  test.each([
    'closed',
    'open',
    'half_open',
  ] as const)('leaves no timer of a circuit that is %s', async (at) => {
    const rig = setUp();
    if (at === 'open') await rig.open();
    if (at === 'half_open') await rig.halfOpen();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    rig.breaker.shutdown();
    expect(vi.getTimerCount()).toBe(0);
  });

  // Trap 12: opossum's own healthCheck would go on.
  test('of an open circuit asks the provider no more', async () => {
    const check = vi.fn(async () => true);
    const { breaker, open } = setUp({ check });
    await open();
    breaker.shutdown();
    await pass(60_000);
    expect(check).not.toHaveBeenCalled();
  });

  test('lets the calls under way end as they would have, and leaves no timer for them', async () => {
    const { breaker, begin, sends } = setUp();
    const [one, ...others] = [begin(), begin(), begin(), begin()];
    breaker.shutdown();
    await expect(one.settle('success')).resolves.toBe('Aldeamo');
    for (const { settle } of others) await expect(settle('failure')).resolves.toBe('Twilio');
    expect(sends).toEqual({ Aldeamo: 4, Twilio: 3 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('refuses the calls that come after it, without a send', async () => {
    const { breaker, call, sends } = setUp();
    breaker.shutdown();
    await expect(call('success')).rejects.toThrow('shutdown'); // trap 9: not even by the fallback
    expect(breaker.isAvailable()).toBe(false);
    expect(sends).toEqual({ Aldeamo: 0, Twilio: 0 });
  });

  // open() and close() would take an opossum out of its shutdown.
  test('is for good, also where a check or the calls under way end after it', async () => {
    const check = () => new Promise<boolean>((resolve) => setTimeout(resolve, 10, true));
    const { breaker, halfOpen, call, sends } = setUp({ check });
    await halfOpen();
    breaker.shutdown();
    await pass(10);
    const before = { ...sends };
    await expect(call('success')).rejects.toThrow('shutdown');
    expect(sends).toEqual(before);
  });
});
