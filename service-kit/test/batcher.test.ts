import { describe, expect, test, vi } from 'vitest';
import { batch } from '../src/postgres/batch.ts';
import { DatabaseError } from '../src/postgres/database-error.ts';

/** As PostgreSQL says it. */
const refusal = (code: string) => new DatabaseError({ message: 'no', code, severity: 'ERROR' }, true);
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

function doubling(run = async (items: number[]) => items.map((item) => 2 * item)) {
  const groups = vi.fn(run);
  return { double: batch(groups), groups, sizes: () => groups.mock.calls.map(([items]) => items.length) };
}

test('what arrives together is one, and each gets its own result', async () => {
  const { double, sizes } = doubling();
  expect(await Promise.all(numbers(100).map(double))).toEqual(numbers(100).map((number) => 2 * number));
  expect(sizes()).toEqual([100]);
});

test('what arrives while two are under way waits for one of them, and goes together', async () => {
  const ends: (() => void)[] = [];
  const { double, sizes } = doubling(async (items) => {
    await new Promise<void>((resolve) => ends.push(resolve));
    return items;
  });
  const areUnderWay = (count: number) => vi.waitFor(() => expect(sizes()).toHaveLength(count));
  const first = double(0);
  await areUnderWay(1);
  const second = double(1);
  await areUnderWay(2);
  const others = Promise.all([2, 3, 4].map(double));
  await new Promise(setImmediate);
  expect(sizes()).toEqual([1, 1]);
  ends.shift()?.();
  await areUnderWay(3);
  for (const end of ends) end();
  expect(await Promise.all([first, second, others])).toEqual([0, 1, [2, 3, 4]]);
  expect(sizes()).toEqual([1, 1, 3]);
});

test('very many are several', async () => {
  const { double, sizes } = doubling();
  await Promise.all(numbers(1200).map(double));
  expect(sizes()).toEqual([500, 500, 200]);
});

describe('one that fails', () => {
  const failOn = (bad: number, code: string) =>
    doubling(async (items) => {
      if (items.includes(bad)) throw refusal(code);
      return items.map((item) => 2 * item);
    });

  test.each(['22021', '23505', '40P01'])('for what it is (%s) fails alone', async (code) => {
    const { double, sizes } = failOn(1, code);
    const results = await Promise.allSettled(numbers(3).map(double));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(sizes()).toEqual([3, 1, 1, 1]);
  });

  test('because the server can not is not tried again', async () => {
    const { double, sizes } = failOn(1, '53100');
    const results = await Promise.allSettled(numbers(3).map(double));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(sizes()).toEqual([3]);
  });

  test('leaves nothing behind: the next ones are carried out', async () => {
    const { double } = failOn(1, '53100');
    await expect(double(1)).rejects.toThrow('53100');
    expect(await double(2)).toBe(4);
  });
});
