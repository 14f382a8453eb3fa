import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openLazily } from '../src/open-lazily.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const unavailable = (why: string) => new Error(why);

test('given no use, opens nothing', () => {
  const open = vi.fn();
  expect(openLazily(open, unavailable).opened).toBeUndefined();
  expect(open).not.toHaveBeenCalled();
});

test('given two uses at once, opens once', async () => {
  const open = vi.fn(async () => ({}));
  const lazy = openLazily(open, unavailable);
  const [one, other] = await Promise.all([lazy.open(), lazy.open()]);
  expect(one).toBe(other);
  expect(lazy.opened).toBe(one);
  expect(await lazy.open()).toBe(one);
  expect(open).toHaveBeenCalledTimes(1);
});

test('given a failed open, fails for a second without another one, then opens again', async () => {
  const open = vi.fn(() => 'open');
  open.mockImplementationOnce(() => {
    throw new Error('disk full');
  });
  const lazy = openLazily(open, unavailable);
  await expect(lazy.open()).rejects.toThrow('disk full');
  await vi.advanceTimersByTimeAsync(999);
  await expect(lazy.open()).rejects.toThrow('not open');
  expect(open).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await lazy.open()).toBe('open');
});

test('given an open that takes longer than 3 s, fails, and has the result of the same open later', async () => {
  const opening = Promise.withResolvers<string>();
  const open = vi.fn(() => opening.promise);
  const lazy = openLazily(open, unavailable);
  const failing = expect(lazy.open()).rejects.toThrow('still being opened');
  await vi.advanceTimersByTimeAsync(3000);
  await failing;
  opening.resolve('open');
  expect(await lazy.open()).toBe('open');
  expect(open).toHaveBeenCalledTimes(1);
});
