import type fs from 'node:fs';
import process from 'node:process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { exemptAt, ticksAt, watch } from '../../src/watchdog/thread.ts';

/** The thread's function in this one, with a clock and a process of the test. */

const tickMs = 300;
const shortMs = 50;
const hangMs = 11 * tickMs + 2 * shortMs;

const files = {
  writeSync: (_to: number, text: Uint8Array) => text.length,
  readdirSync: () => [],
} as unknown as typeof fs;

const kill = vi.fn<typeof process.kill>(() => true);

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(process, 'kill').mockImplementation(kill);
});
afterEach(() => {
  vi.restoreAllMocks(); // before the clock, which is mocked a second time
  vi.useRealTimers();
  kill.mockClear();
});

function startThread(): Int32Array {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  watch(files, { shared, tickMs, allowedTicks: 10, shortTurns: 2, shortTurnMs: shortMs, line: '\n' });
  vi.advanceTimersByTime(tickMs); // sees the first number
  return shared;
}

/** Each turn of the thread comes later by this, in ms. */
function freezeEachTurn(ms: number): void {
  const now = performance.now.bind(performance);
  let frozenMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    frozenMs += ms;
    return now() + frozenMs;
  });
}

test('given an event loop without a tick, the process is killed after the lease and two short turns', () => {
  startThread();
  vi.advanceTimersByTime(hangMs - 1);
  expect(kill).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(kill).toHaveBeenCalledExactlyOnceWith(process.pid, 'SIGKILL');
});

test('given a tick in the last short turn, the process is not killed', () => {
  const shared = startThread();
  vi.advanceTimersByTime(hangMs - 1);
  Atomics.add(shared, ticksAt, 1);
  vi.advanceTimersByTime(hangMs - shortMs);
  expect(kill).not.toHaveBeenCalled();
});

test('given a process that is exempt from the last short turn on, it is not killed', () => {
  const shared = startThread();
  vi.advanceTimersByTime(hangMs - 1);
  Atomics.store(shared, exemptAt, 1);
  vi.advanceTimersByTime(10 * hangMs);
  expect(kill).not.toHaveBeenCalled();
});

test('given a process that is frozen in each turn, it is not killed', () => {
  startThread();
  freezeEachTurn(350);
  vi.advanceTimersByTime(10 * hangMs);
  expect(kill).not.toHaveBeenCalled();
});

test('given an event loop without a tick on a throttled CPU, which makes each turn late, the process is killed', () => {
  startThread();
  freezeEachTurn(100);
  vi.advanceTimersByTime(hangMs);
  expect(kill).toHaveBeenCalledOnce();
});
