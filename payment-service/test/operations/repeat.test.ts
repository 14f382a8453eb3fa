import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { repeat } from '../../src/operations/repeat.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function logTo(lines: Record<string, unknown>[]) {
  return createLogger({}, { write: (line) => void lines.push(JSON.parse(line)) });
}

test('the work is done again only after it has ended, and the stop waits for its end', async () => {
  const ends: (() => void)[] = [];
  const work = vi.fn(() => new Promise<void>((resolve) => void ends.push(resolve)));
  const repeated = repeat(work, 1000, logTo([]));
  await vi.advanceTimersByTimeAsync(5000);
  expect(work).toHaveBeenCalledTimes(1);
  ends.pop()?.();
  await vi.advanceTimersByTimeAsync(1000);
  expect(work).toHaveBeenCalledTimes(2);
  let isStopped = false;
  const stopping = repeated.stop().then(() => {
    isStopped = true;
  });
  await vi.advanceTimersByTimeAsync(5000);
  expect(isStopped).toBe(false);
  ends.pop()?.();
  await stopping;
  expect(work).toHaveBeenCalledTimes(2);
});

test('an error is logged once for as long as it stays the same, and an outage of the store is not', async () => {
  const errors = [new StoreUnavailable('down'), new Error('x'), new Error('x'), new Error('y')];
  const lines: Record<string, unknown>[] = [];
  const work = vi.fn(async () => {
    const error = errors.shift();
    if (error) throw error;
  });
  const repeated = repeat(work, 1000, logTo(lines));
  await vi.advanceTimersByTimeAsync(5000);
  await repeated.stop();
  expect(work).toHaveBeenCalledTimes(5);
  expect(lines).toMatchObject([{ err: { message: 'x' } }, { err: { message: 'y' } }]);
});
