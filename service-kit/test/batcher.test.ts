import { describe, expect, test, vi } from 'vitest';
import { batch } from '../src/batcher.ts';
import { DatabaseError } from '../src/postgres/database-error.ts';

/** An error of PostgreSQL. */
const refusal = (code: string) => new DatabaseError({ message: 'refused', code, severity: 'ERROR' }, true);
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

function doubling(run = async (items: number[]) => items.map((item) => 2 * item)) {
  const batches = vi.fn(run);
  return { double: batch(batches), sizes: () => batches.mock.calls.map(([items]) => items.length) };
}

test('items that arrive together are one batch, and each gets its own result', async () => {
  const { double, sizes } = doubling();
  expect(await Promise.all(numbers(100).map(double))).toEqual(numbers(100).map((number) => 2 * number));
  expect(sizes()).toEqual([100]);
});

test('items that arrive while two batches run wait for the end of one, and are one batch', async () => {
  const ends: (() => void)[] = [];
  const { double, sizes } = doubling(async (items) => {
    await new Promise<void>((resolve) => ends.push(resolve));
    return items;
  });
  const begun = (count: number) => vi.waitFor(() => expect(sizes()).toHaveLength(count));
  const first = double(0);
  await begun(1);
  const second = double(1);
  await begun(2);
  const others = Promise.all([2, 3, 4].map(double));
  await new Promise(setImmediate);
  expect(sizes()).toEqual([1, 1]);
  ends.shift()?.();
  await begun(3);
  for (const end of ends) end();
  expect(await Promise.all([first, second, others])).toEqual([0, 1, [2, 3, 4]]);
  expect(sizes()).toEqual([1, 1, 3]);
});

test('more than 500 items are several batches', async () => {
  const { double, sizes } = doubling();
  await Promise.all(numbers(1200).map(double));
  expect(sizes()).toEqual([500, 500, 200]);
});

describe('given a batch that fails', () => {
  const failOn = (bad: number, code: string) =>
    doubling(async (items) => {
      if (items.includes(bad)) throw refusal(code);
      return items.map((item) => 2 * item);
    });

  test.each(['22021', '23505', '40P01'])('because of one item (%s), only that item fails', async (code) => {
    const { double, sizes } = failOn(1, code);
    const results = await Promise.allSettled(numbers(3).map(double));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(sizes()).toEqual([3, 1, 1, 1]);
  });

  test('because of the server, all items fail and none is tried again', async () => {
    const { double, sizes } = failOn(1, '53100');
    const results = await Promise.allSettled(numbers(3).map(double));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(sizes()).toEqual([3]);
  });

  test('runs the next one', async () => {
    const { double } = failOn(1, '53100');
    await expect(double(1)).rejects.toThrow('53100');
    expect(await double(2)).toBe(4);
  });
});
