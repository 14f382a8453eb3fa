import { expect, test, vi } from 'vitest';
import { createStoreView } from '../../src/live/store-view.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { paymentNumber } from '../store/store-contract.ts';

function setUp() {
  const payments = [paymentNumber(1)];
  const store = {
    list: vi.fn(async () => ({ payments: [...payments], has_more: false })),
    backlog: vi.fn(async () => ({ size: payments.length, oldest_at: null })),
    countHeld: vi.fn(async (): Promise<Record<string, number>> => ({ phone_unknown: 3 })),
    countWebhooks: vi.fn(async () => ({ pending: 1, oldest_at: null, dead: 2 })),
    check: vi.fn(async () => {}),
  };
  return { payments, ...store, view: createStoreView(store) };
}

/** As monotonic time passes. */
async function withClock(run: (pass: (ms: number) => void) => Promise<void>): Promise<void> {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    await run((ms) => vi.advanceTimersByTime(ms));
  } finally {
    vi.useRealTimers();
  }
}

test('the store view reads the store once, until it is invalidated', async () => {
  const { payments, list, view } = setUp();
  expect((await view.read()).latest).toMatchObject({ payments: [{}], backlog: { size: 1 } });
  payments.push(paymentNumber(2));
  expect((await view.read()).latest?.payments).toHaveLength(1);
  view.invalidate();
  expect((await view.read()).latest?.payments).toHaveLength(2);
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

test('the store view, given no change, reads again after 5 s', () =>
  withClock(async (pass) => {
    const { list, view } = setUp();
    await view.read();
    pass(4999);
    await view.read();
    expect(list).toHaveBeenCalledTimes(1);
    pass(1);
    await view.read();
    expect(list).toHaveBeenCalledTimes(2);
  }));

test('the store view, given an unavailable store, returns null, and retries on each read', async () => {
  const { list, view } = setUp();
  list.mockRejectedValueOnce(new Error('gone'));
  expect((await view.read()).latest).toBeNull();
  expect((await view.read()).latest).not.toBeNull();
});

test('the store view counts, and checks the store, every 2 s, also if payments change', () =>
  withClock(async (pass) => {
    const { countHeld, countWebhooks, check, view } = setUp();
    expect(await view.read()).toMatchObject({
      counts: { held: { phone_unknown: 3 }, deadLetters: 2 },
      fault: null,
    });
    for (let step = 0; step < 3; step += 1) {
      pass(500);
      view.invalidate();
      await view.read();
    }
    for (const asked of [countHeld, countWebhooks, check]) expect(asked).toHaveBeenCalledTimes(1);
    pass(500);
    await view.read();
    for (const asked of [countHeld, countWebhooks, check]) expect(asked).toHaveBeenCalledTimes(2);
  }));

test('the store view, given a store that can be read and not written, returns the fault beside the payments', async () => {
  const { check, view } = setUp();
  const cause = new Error('attempt to write a readonly database');
  check.mockRejectedValueOnce(new StoreUnavailable('the store does not answer', { cause }));
  expect(await view.read()).toMatchObject({ latest: { payments: [{}] }, fault: 'read_only' });
});
