import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { byRateOnly, inARowOnly, pass, rollingCountTimeout, setUp } from './circuit-breaker-fixture.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

// Ten slices of 3 s. A call leaves the window with its slice, 30 s after the slice began.
test.each([
  { ended: 0, at: 29_999, expected: 'open' },
  { ended: 0, at: 30_000, expected: 'closed' },
  { ended: 0, at: 30_001, expected: 'closed' },
  { ended: 2999, at: 29_999, expected: 'open' },
  { ended: 2999, at: 30_000, expected: 'closed' },
  { ended: 3000, at: 32_999, expected: 'open' },
  { ended: 3000, at: 33_000, expected: 'closed' },
])('given 4 failures that ended at $ended ms and one at $at ms, is $expected', async ({
  ended,
  at,
  expected,
}) => {
  const { breaker, calls, state } = setUp({ parameters: byRateOnly });
  await pass(ended);
  await calls(4, 'failure');
  await pass(at - ended);
  await calls(1, 'failure');
  expect(state()).toBe(expected);
  expect(breaker.report().failures).toBe(expected === 'open' ? 5 : 1);
});

describe('a call that lasts', () => {
  test('counts from its end on, with its failure, and leaves the window with it', async () => {
    const { breaker, begin } = setUp({ parameters: byRateOnly });
    await pass(2999);
    const calls = [begin(), begin(), begin(), begin()];
    expect(breaker.report()).toMatchObject({ calls: 0, failures: 0 });
    await pass(2);
    for (const { settle } of calls) await settle('failure');
    expect(breaker.report()).toMatchObject({ calls: 4, failures: 4 });
    await pass(32_999 - 3001);
    expect(breaker.report()).toMatchObject({ calls: 4, failures: 4 });
    await pass(1);
    expect(breaker.report()).toMatchObject({ calls: 0, failures: 0 });
  });

  test('is not counted if it is ignored, also after the slice of its start has left the window', async () => {
    const { breaker, begin } = setUp();
    const calls = [begin(), begin(), begin()];
    await pass(rollingCountTimeout);
    for (const { settle } of calls) await settle('ignored');
    expect(breaker.report()).toMatchObject({ calls: 0, failures: 0 });
  });

  // Ignored calls over the edge of a slice once made the window 20 calls shorter when the slice of their start left it.
  test('given 20 ignored ones before, does not open the circuit when 10 of 36 calls fail', async () => {
    const { breaker, begin, calls, state } = setUp({ parameters: byRateOnly });
    await pass(2900);
    const ignored = Array.from({ length: 20 }, begin);
    await pass(200);
    for (const { settle } of ignored) await settle('ignored');
    await pass(rollingCountTimeout - 3100);
    await calls(26, 'success');
    await calls(10, 'failure');
    expect(state()).toBe('closed');
    expect(breaker.report()).toMatchObject({ calls: 36, failures: 10 });
  });

  test('given 20 under way, opens the circuit when 4 of the 6 that ended have failed', async () => {
    const { begin, breaker, calls, state } = setUp({ parameters: byRateOnly });
    for (let i = 0; i < 20; i += 1) begin();
    await calls(2, 'success');
    await calls(3, 'failure');
    expect(breaker.report()).toMatchObject({ state: 'open', reason: '3 of 5 calls failed' });
    expect(state()).toBe('open');
  });

  test('given that the circuit closed while it was under way, is not counted', async () => {
    const { begin, breaker, open } = setUp({ check: async () => true });
    const late = [begin(), begin(), begin()];
    await open();
    await breaker.recover();
    for (const { settle } of late) await settle('ignored');
    expect(breaker.report()).toMatchObject({ state: 'closed', calls: 0, failures: 0 });
  });
});

test('a rejected call is not counted', async () => {
  const { breaker, calls, open } = setUp();
  await open();
  await calls(100, 'success');
  expect(breaker.report()).toMatchObject({ calls: 3, failures: 3 });
});

describe('failures in a row', () => {
  test.each([
    { ended: 19, expected: 'open' },
    { ended: 20, expected: 'closed' },
  ])('given $ended calls in the window with the third one, leave the circuit $expected', async ({
    ended,
    expected,
  }) => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(ended - 3, 'success');
    await calls(3, 'failure');
    expect(state()).toBe(expected);
  });

  test.each([
    { ms: 999, expected: 'closed' },
    { ms: 1000, expected: 'open' },
  ])('that have lasted $ms ms in busy traffic leave the circuit $expected', async ({ ms, expected }) => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(1000, 'success');
    await calls(20, 'failure');
    await pass(ms);
    expect(state()).toBe('closed');
    await calls(1, 'failure');
    expect(state()).toBe(expected);
  });

  test('at one a second open the circuit with the third, right after busy traffic', async () => {
    const { breaker, calls, state } = setUp();
    await calls(10_000, 'success');
    await calls(1, 'failure');
    await pass(1000);
    await calls(1, 'failure');
    expect(state()).toBe('closed');
    await pass(1000);
    await calls(1, 'failure');
    expect(breaker.report()).toMatchObject({
      state: 'open',
      reason: '3 failures in a row, the last: connection_refused',
    });
  });

  test('last from the end of the first one, however long ago it began', async () => {
    const { begin, calls, state } = setUp({ parameters: inARowOnly });
    await calls(1000, 'success');
    const slow = begin();
    await pass(2000);
    await slow.settle('failure');
    await calls(2, 'failure');
    expect(state()).toBe('closed');
  });

  test('start anew after a success', async () => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(1000, 'success');
    await calls(10, 'failure');
    await pass(900);
    await calls(1, 'success');
    await calls(1, 'failure');
    await pass(900);
    await calls(2, 'failure');
    expect(state()).toBe('closed');
  });

  test('after busy traffic that has left the window open the circuit at once', async () => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(1000, 'success');
    await pass(rollingCountTimeout);
    await calls(3, 'failure');
    expect(state()).toBe('open');
  });

  test('among ignored calls open the circuit at once', async () => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(1000, 'ignored');
    await calls(3, 'failure');
    expect(state()).toBe('open');
  });

  test('are not made longer by a clock that is set', async () => {
    const { calls, state } = setUp({ parameters: inARowOnly });
    await calls(1000, 'success');
    await calls(2, 'failure');
    vi.setSystemTime(Date.now() + 3_600_000);
    await calls(1, 'failure');
    expect(state()).toBe('closed');
  });
});
