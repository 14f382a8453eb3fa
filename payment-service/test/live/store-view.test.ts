import { expect, test, vi } from 'vitest';
import { createStoreView } from '../../src/live/store-view.ts';
import { paymentNumber } from '../store/store-contract.ts';

function viewed() {
  const payments = [paymentNumber(1)];
  const list = vi.fn(async () => ({ payments: [...payments], has_more: false }));
  const backlog = vi.fn(async () => ({ size: payments.length, oldest_at: null }));
  return { payments, list, view: createStoreView({ list, backlog }) };
}

test('reads the store once, until it is told of a change', async () => {
  const { payments, list, view } = viewed();
  expect(await view.read()).toMatchObject({ payments: [{}], backlog: { size: 1 } });
  payments.push(paymentNumber(2));
  expect((await view.read())?.payments).toHaveLength(1);
  view.invalidate();
  expect((await view.read())?.payments).toHaveLength(2);
  expect(list).toHaveBeenCalledTimes(2);
});

test('a change while it reads is not missed', async () => {
  const { list, view } = viewed();
  const reading = view.read();
  view.invalidate();
  await reading;
  await view.read();
  expect(list).toHaveBeenCalledTimes(2);
});

test('reads again after 5 s all the same', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { list, view } = viewed();
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

test('is null while the store does not answer, and tries again each time', async () => {
  const { list, view } = viewed();
  list.mockRejectedValueOnce(new Error('gone'));
  expect(await view.read()).toBeNull();
  expect(await view.read()).not.toBeNull();
});
