import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startWait } from '../../src/providers/wait.ts';

const now = Date.parse('2026-03-01T12:00:00.000Z');
const hour = 3_600_000;
const at = (ms: number) => new Date(now + ms).toISOString();
const setWall = (ms: number) => void vi.setSystemTime(now + ms);

beforeEach(() => void vi.useFakeTimers({ now, toFake: ['Date', 'performance'] }));
afterEach(() => void vi.useRealTimers());

test.each([
  ['as it was', 0],
  ['set back by an hour', -hour],
  ['set ahead by an hour', hour],
])('a deadline, given a wall clock that is %s, is over when its wait is', (_what, byMs) => {
  const deadline = startWait(5000);
  setWall(byMs);
  expect([deadline.remainingMs(), deadline.wallTime()]).toEqual([5000, at(byMs + 5000)]);
  vi.advanceTimersByTime(4999);
  expect(deadline.remainingMs()).toBe(1);
  vi.advanceTimersByTime(60_000);
  expect(deadline.remainingMs()).toBe(0);
  expect(deadline.wallTime()).toBe(at(byMs + 5000));
});

test('a deadline reports the same wall time, though the two clocks are read at different times', () => {
  const deadline = startWait(5000);
  for (const driftMs of [1, -1, 400, -400]) {
    setWall(driftMs);
    expect(deadline.wallTime()).toBe(at(5000));
  }
});
