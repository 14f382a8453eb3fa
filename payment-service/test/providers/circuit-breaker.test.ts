import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { circuitBreakerDefaults, createCircuitBreaker } from '../../src/providers/circuit-breaker.ts';
import {
  byRateOnly,
  type CountsAs,
  deadline,
  inARowOnly,
  never,
  pass,
  resetTimeout,
  rollingCountTimeout,
  setUp,
} from './circuit-breaker-fixture.ts';

// Comments number the traps of opossum 10 that their tests are about.

// Trap 14: a breaker keeps the timers that it was constructed with, so the fake ones are installed first.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('opening', () => {
  // Trap 1: opossum opens above the threshold, not at it.
  test.each([
    { percentage: 50, successes: 50, failures: 50 },
    { percentage: 1, successes: 99, failures: 1 },
    { percentage: 99, successes: 1, failures: 99 },
  ])('opens above $percentage% failures, and not at exactly $percentage%', async ({
    percentage,
    successes,
    failures,
  }) => {
    const { calls, state } = setUp({ parameters: { ...byRateOnly, errorThresholdPercentage: percentage } });
    await calls(successes, 'success');
    await calls(failures, 'failure');
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test('given a threshold of 100%, which no rate exceeds, opens on failures in a row', async () => {
    const { open } = setUp({ parameters: { errorThresholdPercentage: 100 } }); // trap 1
    await open();
  });

  test('given only failures, opens by rate at the volume threshold and not below it', async () => {
    const { calls, state } = setUp({ parameters: byRateOnly });
    await calls(4, 'failure');
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test('given fewer calls than the volume threshold, opens on the third failure in a row', async () => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(2, 'failure');
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test.each<[between: CountsAs, state: string]>([
    ['success', 'closed'],
    ['ignored', 'open'],
  ])('given a call that counts as %s between the second failure and the third, is %s after the third', async (between, expected) => {
    const { call, calls, state } = setUp({ parameters: inARowOnly });
    await calls(2, 'failure');
    await call(between);
    await call('failure');
    expect(state()).toBe(expected);
  });

  // Trap 2: opossum counts calls under way as calls that did not fail: by rate, 200 of them would need 101 failures.
  test('given 200 calls under way, opens on the third failure in a row', async () => {
    const { begin, state, sends } = setUp();
    const underWay = Array.from({ length: 200 }, begin);
    for (const { settle } of underWay.slice(0, 2)) await settle('failure');
    expect(state()).toBe('closed');
    await underWay[2]?.settle('failure');
    expect(state()).toBe('open');
    await expect(begin().handled).resolves.toBe('Twilio');
    expect(sends.Aldeamo).toBe(200);
  });

  // Trap 4: config.ts makes the window long enough for calls that end by their deadline.
  test('given sequential calls that each take their whole deadline, opens by rate', async () => {
    const { begin, state } = setUp({ parameters: byRateOnly });
    for (let i = 0; i < 5; i += 1) {
      expect(state()).toBe('closed');
      const { settle } = begin();
      await pass(deadline);
      await settle('failure');
    }
    expect(state()).toBe('open');
  });

  test('given a whole window between one failure and the next, opens on the third in a row', async () => {
    const { call, state } = setUp(); // trap 4
    for (let i = 0; i < 3; i += 1) {
      expect(state()).toBe('closed');
      await pass(rollingCountTimeout + 1);
      await call('failure');
    }
    expect(state()).toBe('open');
  });
});

describe('while open', () => {
  test('calls the fallback instead of Aldeamo, without a failed result', async () => {
    const { open, calls, sends, failedResults } = setUp();
    await open();
    await calls(10, 'success');
    expect(sends).toEqual({ Aldeamo: 3, Twilio: 13 });
    expect(failedResults).toEqual([...Array(3).fill('Aldeamo'), ...Array(10).fill(undefined)]);
  });

  // Trap 12: opossum's lastTimerAt is not the time of the opening.
  test('lets no call through until the open time has passed, to the millisecond', async () => {
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
  test('given 50 concurrent payments, lets one through and calls the fallback for 49', async () => {
    const { breaker, halfOpen, begin, sends } = setUp();
    await halfOpen();
    const before = { ...sends };
    const underWay = Array.from({ length: 50 }, begin);
    expect(breaker.isAvailable()).toBe(false);
    const handled = await Promise.all(underWay.map(({ settle }) => settle('success')));
    expect(handled).toEqual(['Aldeamo', ...Array(49).fill('Twilio')]);
    expect(sends).toEqual({ Aldeamo: before.Aldeamo + 1, Twilio: before.Twilio + 49 });
  });

  test('closes the circuit if it succeeds', async () => {
    const { breaker, halfOpen, call } = setUp();
    await halfOpen();
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'the probe succeeded' });
  });

  test('opens the circuit for a whole open time if it fails', async () => {
    const { breaker, halfOpen, call, state } = setUp();
    await halfOpen();
    await expect(call('failure')).resolves.toBe('Twilio');
    expect(breaker.report()).toMatchObject({ state: 'open', last_check: { reason: 'the probe failed' } });
    await pass(resetTimeout - 1);
    expect(state()).toBe('open');
    await pass(1);
    expect(state()).toBe('half_open');
  });

  // Trap 5: a probe that never settles would block the circuit, so every call has a deadline.
  test('that ends by its deadline opens the circuit, which recovers later', async () => {
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
  ])('that hangs leaves the decision to the background check: healthy %s, circuit %s', async (isHealthy, next) => {
    const check = () => new Promise<boolean>((resolve) => setTimeout(resolve, deadline, isHealthy));
    const { halfOpen, begin, state } = setUp({ check });
    await halfOpen();
    begin();
    await pass(deadline); // trap 5
    expect(state()).toBe(next);
  });

  // Trap 8: an error that opossum's errorFilter ignores closes a half-open circuit.
  test('that is ignored leaves the decision to the background check', async () => {
    const { halfOpen, call, state } = setUp();
    await halfOpen();
    await expect(call('ignored')).resolves.toBe('Aldeamo');
    expect(state()).toBe('half_open');
    await expect(call('success')).resolves.toBe('Twilio'); // the circuit lets one probe through
  });
});

describe('the background check', () => {
  test('closes the circuit without traffic', async () => {
    const { breaker, open, sends } = setUp({ check: async () => true });
    await open();
    await pass(resetTimeout);
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'the background check succeeded' });
    expect(sends.Aldeamo).toBe(3);
  });

  test('keeps the circuit open while it fails, without a payment as the probe', async () => {
    let isHealthy = false;
    const check = vi.fn(async () => isHealthy);
    const { open, state, logged, sends } = setUp({ check });
    await open();
    await pass(60_000);
    expect(check).toHaveBeenCalledTimes(4);
    expect(logged.map(({ circuit }) => circuit)).toEqual(
      ['open', ...Array(4).fill(['half_open', 'open'])].flat(),
    );
    isHealthy = true;
    await pass(resetTimeout);
    expect(state()).toBe('closed');
    expect(sends.Aldeamo).toBe(3);
  });

  test('is ignored if a payment was the probe before it ended', async () => {
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
  const healthy = async () => true;
  test.each<
    [how: string, check: () => Promise<boolean>, (fixture: ReturnType<typeof setUp>) => Promise<unknown>]
  >([
    ['a payment', never, ({ call }) => pass(resetTimeout).then(() => call('success'))],
    ['the background check', healthy, () => pass(resetTimeout)],
    ['a person', healthy, ({ breaker }) => breaker.recover()],
  ])('by %s, a single failure does not open the circuit', async (_how, check, recover) => {
    const fixture = setUp({ check, parameters: byRateOnly });
    await fixture.calls(5, 'failure');
    expect(fixture.state()).toBe('open');
    await recover(fixture);
    expect(fixture.breaker.report()).toMatchObject({ state: 'closed', calls: 0, failures: 0 });
    await fixture.call('failure');
    expect(fixture.breaker.report()).toMatchObject({ state: 'closed', calls: 1, failures: 1 });
  });

  // Trap 2: opossum counts rejected calls as calls that did not fail.
  test('given 300 rejected calls before it, the next outage opens the circuit as early as the first', async () => {
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

// Trap 6: opossum has no generations: the result of a call from an earlier state would change the present one.
describe('a late result', () => {
  test.each<[CountsAs, string]>([
    ['success', 'Aldeamo'],
    ['failure', 'Twilio'],
  ])('%s of a call that began before the circuit opened leaves it open', async (countsAs, handler) => {
    const { begin, open, state, sends } = setUp();
    const late = begin();
    await open();
    await expect(late.settle(countsAs)).resolves.toBe(handler);
    expect(state()).toBe('open');
    expect(sends).toEqual({ Aldeamo: 4, Twilio: handler === 'Twilio' ? 4 : 3 });
    await pass(resetTimeout);
    expect(state()).toBe('half_open');
  });

  test.each<[CountsAs, string]>([
    ['success', 'Aldeamo'],
    ['failure', 'Twilio'],
  ])('%s of a call that began before the circuit opened leaves it half open', async (countsAs, handler) => {
    const { begin, halfOpen, call, state } = setUp();
    const late = begin();
    await halfOpen();
    await expect(late.settle(countsAs)).resolves.toBe(handler);
    expect(state()).toBe('half_open');
    await expect(call('success')).resolves.toBe('Aldeamo');
    expect(state()).toBe('closed');
  });

  test('success in a circuit that is closed again does not end a run of failures', async () => {
    const { begin, breaker, open, calls, state } = setUp({ check: async () => true });
    const late = begin();
    await open();
    await breaker.recover();
    await calls(2, 'failure');
    await expect(late.settle('success')).resolves.toBe('Aldeamo');
    await calls(1, 'failure');
    expect(state()).toBe('open');
  });

  test('failure in a circuit that is closed again does not extend a run of failures', async () => {
    const { begin, breaker, open, calls, state } = setUp({ check: async () => true });
    const late = begin();
    await open();
    await breaker.recover();
    await calls(2, 'failure');
    await expect(late.settle('failure')).resolves.toBe('Twilio');
    expect(state()).toBe('closed');
    expect(breaker.report().consecutive_failures).toBe(2);
  });

  test('failures in a circuit that is closed again do not open it by rate', async () => {
    const { begin, breaker, open, calls, state } = setUp({ check: async () => true });
    const late = [begin(), begin(), begin()];
    await open();
    await breaker.recover();
    await calls(5, 'success');
    for (const { settle } of late) await settle('failure');
    expect(state()).toBe('closed');
  });

  test.each<[isHealthy: boolean, countsAs: CountsAs, next: string]>([
    [true, 'success', 'closed'],
    [true, 'failure', 'closed'],
    [false, 'success', 'open'],
    [false, 'failure', 'open'],
  ])('of a probe, given a background check that ended before with healthy %s: %s leaves it %s', async (isHealthy, countsAs, next) => {
    const check = () => new Promise<boolean>((resolve) => setTimeout(resolve, 10, isHealthy));
    const { begin, breaker, halfOpen, state } = setUp({ check });
    await halfOpen();
    const probe = begin();
    await pass(10);
    expect(state()).toBe(next);
    await probe.settle(countsAs);
    expect(state()).toBe(next);
    expect(breaker.report().consecutive_failures).toBe(0);
  });
});

describe('a call', () => {
  // Trap 7: opossum's own timeout, 10 s by default, runs the fallback beside a call that goes on.
  test('that takes a minute and succeeds does not run the fallback', async () => {
    const { begin, sends } = setUp();
    const slow = begin();
    await pass(60_000);
    await expect(slow.settle('success')).resolves.toBe('Aldeamo');
    expect(sends).toEqual({ Aldeamo: 1, Twilio: 0 });
  });

  // Trap 11: a listener that throws makes opossum count a failure and run the fallback, or never settle the call.
  test('is handled as usual, given a log and an onChange that throw', async () => {
    const broken = () => {
      throw new Error('disk full');
    };
    const log = { info: broken, warn: broken } as unknown as FastifyBaseLogger;
    const { call, state, sends } = setUp({ log, onChange: broken });
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

  // Trap 8: opossum rejects a call whose error its errorFilter ignores.
  test('that is ignored resolves without the fallback', async () => {
    const { breaker, call, sends } = setUp();
    await expect(call('ignored')).resolves.toBe('Aldeamo');
    expect(sends).toEqual({ Aldeamo: 1, Twilio: 0 });
    expect(breaker.report()).toMatchObject({ failures: 0, consecutive_failures: 0 });
  });
});

describe('ignored calls', () => {
  // Trap 10: opossum counts a full queue of our own as a failure of the provider, so it gets no capacity.
  test('never open the circuit, given 1000 calls under way at once', async () => {
    const { begin, state } = setUp();
    const underWay = Array.from({ length: 1000 }, begin);
    await Promise.all(underWay.map(({ settle }, i) => settle(i % 2 ? 'ignored' : 'success')));
    expect(state()).toBe('closed');
  });

  // Otherwise a surge that fills our own queue, since Aldeamo is slow, would dilute the failure rate.
  test('do not dilute the failure rate', async () => {
    const { calls, state } = setUp({ parameters: byRateOnly });
    await calls(10, 'ignored');
    await calls(5, 'failure');
    expect(state()).toBe('open');
  });
});

// Trap 9: opossum's fallback has no timeout, and its error replaces the first one. So it carries its own deadline, and
// gets the failed result.
test('given a fallback that fails, rejects with its error, passes it the failed result and counts only the call', async () => {
  const fallback = () => Promise.reject(new Error('store unavailable'));
  const { breaker, call, failedResults } = setUp({ fallback });
  await expect(call('failure')).rejects.toThrow('store unavailable');
  expect(failedResults).toEqual(['Aldeamo']);
  expect(breaker.report()).toMatchObject({ calls: 1, failures: 1, consecutive_failures: 1 });
});

describe('recover', () => {
  test('closes an open circuit at once, and for good, if the provider is healthy', async () => {
    const { breaker, open, logged } = setUp({ check: async () => true });
    await open();
    await expect(breaker.recover()).resolves.toBe(true);
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'closed by hand' });
    await pass(60_000); // trap 12: the timer of the open time is gone
    expect(logged.map(({ circuit }) => circuit)).toEqual(['open', 'closed']);
  });

  test('leaves the circuit open if the provider is not healthy', async () => {
    const { breaker, open, state } = setUp({ check: async () => false });
    await open();
    await expect(breaker.recover()).resolves.toBe(false);
    expect(state()).toBe('open');
  });

  test('resets the counts of a closed circuit', async () => {
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
      const isHealthy = answers.shift() ?? true;
      return new Promise<boolean>((resolve) => setTimeout(resolve, isHealthy ? 10 : 20, isHealthy));
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
      last_check: null,
      consecutive_failures: 0,
      calls: 0,
      failures: 0,
      next_probe_at: null,
    });
  });

  test('of a closed circuit: the calls of the window', async () => {
    const { breaker, calls } = setUp();
    await calls(3, 'success');
    await calls(2, 'failure');
    expect(breaker.report()).toMatchObject({ calls: 5, failures: 2, consecutive_failures: 2 });
  });

  test('of a circuit opened by failures in a row: why, since when, until when, and no rejected calls', async () => {
    const { breaker, open, calls } = setUp();
    await pass(1000);
    await open();
    await calls(7, 'success');
    expect(breaker.report()).toEqual({
      state: 'open',
      since: later(1000),
      reason: '3 failures in a row, the last: connection_refused',
      last_check: null,
      consecutive_failures: 0,
      calls: 3,
      failures: 3,
      next_probe_at: later(1000 + resetTimeout),
    });
  });

  test.each([
    ['back', -3_600_000],
    ['ahead', 3_600_000],
  ])('of an open circuit, given a wall clock set %s: the next probe by that clock, in the time that is left', async (_where, byMs) => {
    const { breaker, open } = setUp();
    await open();
    await pass(1000);
    vi.setSystemTime(Date.now() + byMs);
    expect(breaker.nextProbeInMs()).toBe(resetTimeout - 1000);
    expect(breaker.report().next_probe_at).toBe(later(byMs + resetTimeout));
    await pass(resetTimeout - 1000);
    expect([breaker.report().state, breaker.nextProbeInMs()]).toEqual(['half_open', 0]);
  });

  test('of a circuit opened by rate: how many of how many calls failed', async () => {
    const { breaker, calls } = setUp({ parameters: byRateOnly });
    await calls(2, 'success');
    await calls(3, 'failure');
    expect(breaker.report()).toMatchObject({ state: 'open', reason: '3 of 5 calls failed' });
  });

  test('of a half-open circuit: why and since when it opened, and no next probe', async () => {
    const { breaker, halfOpen } = setUp();
    await halfOpen();
    expect(breaker.report()).toMatchObject({
      state: 'half_open',
      since: start,
      reason: '3 failures in a row, the last: connection_refused',
      last_check: null,
      next_probe_at: null,
    });
  });

  test('of a circuit whose probes failed: why and since when it opened, and the last check', async () => {
    const { breaker, open } = setUp({ check: async () => false });
    await open();
    for (let probe = 1; probe <= 4; probe += 1) {
      await pass(resetTimeout);
      expect(breaker.report()).toMatchObject({
        state: 'open',
        since: start,
        reason: '3 failures in a row, the last: connection_refused',
        last_check: { at: later(probe * resetTimeout), reason: 'the background check failed: http_503' },
        next_probe_at: later((probe + 1) * resetTimeout),
      });
    }
  });

  test('of a circuit that closed after a failed probe and opened again: only the second opening', async () => {
    let isHealthy = false;
    const { breaker, open } = setUp({ check: async () => isHealthy });
    await open();
    await pass(resetTimeout);
    isHealthy = true;
    await pass(resetTimeout);
    expect(breaker.report()).toMatchObject({
      state: 'closed',
      since: later(2 * resetTimeout),
      reason: 'the background check succeeded',
      last_check: null,
    });
    await pass(1000);
    await open();
    expect(breaker.report()).toMatchObject({ since: later(2 * resetTimeout + 1000), last_check: null });
  });

  test('of an open circuit, given a check by hand that failed: that check', async () => {
    const { breaker, open } = setUp({ check: async () => false });
    await open();
    await pass(1000);
    await breaker.recover();
    expect(breaker.report()).toMatchObject({
      since: start,
      reason: '3 failures in a row, the last: connection_refused',
      last_check: { at: later(1000), reason: 'the check by hand failed: http_503' },
    });
  });

  test('of a closed circuit, given a check by hand that failed: no check', async () => {
    const { breaker } = setUp({ check: async () => false });
    await breaker.recover();
    expect(breaker.report()).toMatchObject({ state: 'closed', reason: 'start', last_check: null });
  });

  test('is logged at every transition', async () => {
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

  test('is logged with the reason of each transition, not of the opening', async () => {
    const { open, logged } = setUp({ check: async () => false });
    await open();
    await pass(resetTimeout);
    expect(logged.map(({ reason }) => reason)).toEqual([
      '3 failures in a row, the last: connection_refused',
      `open for ${resetTimeout} ms`,
      'the background check failed: http_503',
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

  test('share no state: no counts, no window, no open circuit', async () => {
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
  ] as const)('of a circuit that is %s leaves no timer', async (at) => {
    const fixture = setUp();
    if (at === 'open') await fixture.open();
    if (at === 'half_open') await fixture.halfOpen();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    fixture.breaker.shutdown();
    expect(vi.getTimerCount()).toBe(0);
  });

  // Trap 12: opossum's own healthCheck would go on.
  test('of an open circuit makes no further check of the provider', async () => {
    const check = vi.fn(async () => true);
    const { breaker, open } = setUp({ check });
    await open();
    breaker.shutdown();
    await pass(60_000);
    expect(check).not.toHaveBeenCalled();
  });

  test('given calls under way, lets them end as usual and leaves no timer', async () => {
    const { breaker, begin, sends } = setUp();
    const [one, ...others] = [begin(), begin(), begin(), begin()];
    breaker.shutdown();
    await expect(one.settle('success')).resolves.toBe('Aldeamo');
    for (const { settle } of others) await expect(settle('failure')).resolves.toBe('Twilio');
    expect(sends).toEqual({ Aldeamo: 4, Twilio: 3 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('rejects later calls without a send', async () => {
    const { breaker, call, sends } = setUp();
    breaker.shutdown();
    await expect(call('success')).rejects.toThrow('shutdown'); // trap 9: not even by the fallback
    expect(breaker.isAvailable()).toBe(false);
    expect(sends).toEqual({ Aldeamo: 0, Twilio: 0 });
  });

  // open() and close() would take an opossum out of its shutdown.
  test('is final, given a check that ends after it', async () => {
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
