import { expect, test, vi } from 'vitest';
import { createStoreView } from '../../src/live/store-view.ts';
import { paymentNumber } from '../store/store-contract.ts';

function setUp() {
  const payments = [paymentNumber(1)];
  const list = vi.fn(async () => ({ payments: [...payments], has_more: false }));
  const backlog = vi.fn(async () => ({ size: payments.length, oldest_at: null }));
  return { payments, list, view: createStoreView({ list, backlog }) };
}

test('the store view reads the store once, until it is invalidated', async () => {
  const { payments, list, view } = setUp();
  expect(await view.read()).toMatchObject({ payments: [{}], backlog: { size: 1 } });
  payments.push(paymentNumber(2));
  expect((await view.read())?.payments).toHaveLength(1);
  view.invalidate();
  expect((await view.read())?.payments).toHaveLength(2);
  expect(list).toHaveBeenCalledTimes(2);
});

test('the store view, given a change during a read, reads again', async () => {
  const { list, view } = setUp();
  const reading = view.read();
  view.invalidate();
  await reading;
  await view.read();
  expect(list).toHaveBeenCalledTimes(2);
});

test('the store view, given no change, reads again after 5 s', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { list, view } = setUp();
    await view.read();
    vi.advanceTimersByTime(4999);
    await view.read();
    expect(list).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1);
    await view.read();
    expect(list).toHaveBeenCalledTimes(2);
  } finally {
    vi.useRealTimers();
  }
});

test('the store view, given an unavailable store, returns null, and retries on each read', async () => {
  const { list, view } = setUp();
  list.mockRejectedValueOnce(new Error('gone'));
  expect(await view.read()).toBeNull();
  expect(await view.read()).not.toBeNull();
});
