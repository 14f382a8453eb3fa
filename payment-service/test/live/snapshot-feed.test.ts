import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Snapshot } from '../../src/live/snapshot.ts';
import { createSnapshotFeed } from '../../src/live/snapshot-feed.ts';

// The feed waits by node:timers/promises.
beforeEach(() => {
  vi.useFakeTimers({
    fakeNodeBuiltins: true,
    toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'],
  });
});
afterEach(() => void vi.useRealTimers());

/** A feed whose snapshot is a number that the test sets. */
function setUp() {
  const state = { number: 1, taken: 0 };
  const feed = createSnapshotFeed({
    take: async () => {
      state.taken += 1;
      if (state.number < 0) throw new Error('no snapshot');
      return { number: state.number } as unknown as Snapshot;
    },
    log: pino({ level: 'silent' }),
  });
  const watch = () => {
    const end = new AbortController();
    const events = feed.watch(end.signal);
    const numbers: number[] = [];
    const read = async () => {
      const { value, done } = await events.next();
      if (!done) numbers.push(JSON.parse(value.slice('data: '.length)).number);
      return done;
    };
    const readAll = async () => {
      while (!(await read()));
    };
    return { end, numbers, read, readAll };
  };
  return { state, feed, watch };
}

describe('the feed', () => {
  test('sends the state at once, and then only changes', async () => {
    const { state, watch } = setUp();
    const { numbers, readAll } = watch();
    void readAll();
    await vi.advanceTimersByTimeAsync(2000);
    expect(numbers).toEqual([1]);
    state.number = 2;
    await vi.advanceTimersByTimeAsync(500);
    expect(numbers).toEqual([1, 2]);
  });

  test('repeats the state after 5 s without a change', async () => {
    const { watch } = setUp();
    const { numbers, readAll } = watch();
    void readAll();
    await vi.advanceTimersByTimeAsync(4400);
    expect(numbers).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(numbers).toEqual([1, 1]);
  });

  test('given a watcher that does not read, buffers only the newest snapshot', async () => {
    const { state, watch } = setUp();
    const { numbers, read } = watch();
    await read();
    for (state.number = 2; state.number < 100; state.number += 1) await vi.advanceTimersByTimeAsync(500);
    await read();
    expect(numbers).toEqual([1, 99]);
  });

  test('takes one snapshot for all watchers, and none without watchers', async () => {
    const { state, feed, watch } = setUp();
    await vi.advanceTimersByTimeAsync(5000);
    expect(state.taken).toBe(0);
    const watchers = Array.from({ length: 20 }, watch);
    const ended = watchers.map(({ readAll }) => readAll());
    await vi.advanceTimersByTimeAsync(4400);
    expect(state.taken).toBe(9);
    expect(watchers.map(({ numbers }) => numbers)).toEqual(watchers.map(() => [1]));
    for (const { end } of watchers) end.abort();
    await Promise.all(ended);
    expect(feed.watchers()).toBe(0);
    await vi.advanceTimersByTimeAsync(5000);
    expect(state.taken).toBe(9);

    state.number = 2;
    const late = watch();
    void late.readAll();
    await vi.advanceTimersByTimeAsync(0);
    expect(late.numbers).toEqual([2]);
  });

  test('given a snapshot that fails, continues with the next', async () => {
    const { state, watch } = setUp();
    state.number = -1;
    const { numbers, readAll } = watch();
    void readAll();
    await vi.advanceTimersByTimeAsync(20_000);
    state.number = 3;
    await vi.advanceTimersByTimeAsync(500);
    expect(numbers).toEqual([3]);
    state.number = -1;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(numbers).toEqual([3]); // repeated, it would look like the state of now
  });
});
