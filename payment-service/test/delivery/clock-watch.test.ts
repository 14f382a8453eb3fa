import { expect, test } from 'vitest';
import { watchClock } from '../../src/delivery/clock-watch.ts';

const minute = 60_000;
const hour = 3_600_000;
const start = Date.parse('2026-03-01T12:00:00.000Z');

function setUp() {
  let wall = start;
  let monotonic = 5000;
  const lines: string[] = [];
  const logger = (level: string) => (first: unknown) =>
    void lines.push(typeof first === 'string' ? level : `${level} ${JSON.stringify(first)}`);
  const log = { info: logger('info'), warn: logger('warn'), error: logger('error') };
  const watch = watchClock({ log, wallNow: () => wall, monotonicNow: () => monotonic });
  return {
    watch,
    lines,
    wallNow: () => wall,
    pass(ms: number) {
      wall += ms;
      monotonic += ms;
    },
    setWall(byMs: number) {
      wall += byMs;
    },
  };
}

test('while both clocks run alike, what has expired expires, and nothing is logged', () => {
  const { watch, lines, pass } = setUp();
  for (let hours = 0; hours < 48; hours += 1) {
    expect([watch.aheadMs(), watch.mayExpire()]).toEqual([0, true]);
    pass(hour);
  }
  expect(lines).toEqual([]);
});

test.each([
  [minute, true],
  [minute + 1, false],
  [365 * 24 * hour, false],
])('a wall clock set ahead by %i ms: at the next look, whether anything expires is %s', (byMs, mayExpire) => {
  const { watch, lines, setWall } = setUp();
  setWall(byMs);
  expect(watch.mayExpire()).toBe(mayExpire);
  expect(watch.aheadMs()).toBe(byMs);
  expect(watch.mayExpire()).toBe(mayExpire);
  expect(lines).toEqual(mayExpire ? [] : [`error {"clock_ahead_ms":${byMs}}`]);
});

test('a wall clock set ahead, left so for five minutes, is accepted, and the next step counts from there', () => {
  const { watch, lines, pass, setWall } = setUp();
  setWall(hour);
  expect(watch.mayExpire()).toBe(false);
  pass(5 * minute - 1);
  expect([watch.mayExpire(), watch.aheadMs()]).toEqual([false, hour]);
  pass(1);
  expect([watch.mayExpire(), watch.aheadMs()]).toEqual([true, 0]);
  expect(lines).toEqual([`error {"clock_ahead_ms":${hour}}`, 'info']);
  setWall(2 * minute);
  expect([watch.mayExpire(), watch.aheadMs()]).toEqual([false, 2 * minute]);
});

test('a wall clock set ahead that no one looked at for an hour is not accepted at once', () => {
  const { watch, pass, setWall } = setUp();
  setWall(hour);
  pass(hour);
  expect(watch.mayExpire()).toBe(false);
});

test('a wall clock that is set further ahead makes the five minutes begin anew', () => {
  const { watch, lines, pass, setWall } = setUp();
  setWall(hour);
  watch.mayExpire();
  pass(4 * minute);
  setWall(hour);
  expect(watch.mayExpire()).toBe(false);
  pass(4 * minute);
  expect(watch.mayExpire()).toBe(false);
  pass(minute);
  expect(watch.mayExpire()).toBe(true);
  expect(lines).toEqual([`error {"clock_ahead_ms":${hour}}`, `error {"clock_ahead_ms":${2 * hour}}`, 'info']);
});

test('a wall clock that is put right within the five minutes is trusted at once', () => {
  const { watch, lines, setWall } = setUp();
  setWall(hour);
  watch.mayExpire();
  setWall(-hour);
  expect([watch.mayExpire(), watch.aheadMs()]).toEqual([true, 0]);
  expect(lines).toEqual([`error {"clock_ahead_ms":${hour}}`, 'info {"clock_ahead_ms":0}']);
});

test('a wall clock set back is a warning; what has expired by it expires', () => {
  const { watch, lines, pass, setWall } = setUp();
  setWall(-hour);
  expect([watch.mayExpire(), watch.aheadMs()]).toEqual([true, -hour]);
  pass(5 * minute);
  expect(watch.aheadMs()).toBe(0);
  expect(lines).toEqual([`warn {"clock_ahead_ms":${-hour}}`, 'info']);
});

test('the longest time since a wall time counts how far the wall clock was set back', () => {
  const { watch, wallNow, pass, setWall } = setUp();
  const startedAt = wallNow();
  pass(1000);
  expect(watch.longestSince(startedAt)).toBe(1000);
  setWall(-500);
  expect(watch.longestSince(startedAt)).toBe(1000);
  setWall(-hour);
  pass(1000);
  expect(watch.longestSince(startedAt)).toBe(2000);
  expect(watch.longestSince(wallNow())).toBeGreaterThanOrEqual(0);
});

test('the longest time since a wall time is no less than the wall clock says, and is not known of a future one', () => {
  const { watch, wallNow, setWall } = setUp();
  const startedAt = wallNow();
  setWall(hour);
  expect(watch.longestSince(startedAt)).toBe(hour);
  expect(watch.longestSince(wallNow() + 1)).toBe(Number.POSITIVE_INFINITY);
});
