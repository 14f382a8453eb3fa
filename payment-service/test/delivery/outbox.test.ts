import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Delivery } from '../../src/delivery/delivery.ts';
import { type Outbox, type OutboxOptions, startOutbox } from '../../src/delivery/outbox.ts';
import type { Payment } from '../../src/domain/payment.ts';
import type { EventRecording } from '../../src/store/events.ts';
import { LeaseLost, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { customer } from '../store/customer.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber, recordOf } from '../store/store-contract.ts';

const now = Date.parse('2026-03-01T12:00:00.000Z');
const hour = 3_600_000;

// fakeNodeBuiltins, because the outbox waits by node:timers/promises. setImmediate stays real, because the store commits by it.
beforeEach(() => {
  vi.useFakeTimers({ now, fakeNodeBuiltins: true, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
const started: Outbox[] = [];
let open: Store;
afterEach(async () => {
  // Before useRealTimers, because a pause on the fake clock would never end after it.
  await Promise.all(started.splice(0).map((outbox) => outbox.stop()));
  vi.useRealTimers();
});

/** Advances the clock in small steps, and lets the store finish its work in each. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await vi.advanceTimersByTimeAsync(Math.min(50, ms - passed));
    await work();
  }
}

/** Waits for a write that changes nothing, because the store ends its operations in order. */
async function work(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await open.deletePhone(customer('unknown'));
    await new Promise(setImmediate);
  }
}

async function setUp({ leaseMs = hour, events }: { leaseMs?: number; events?: EventRecording } = {}) {
  const store = createMemoryStore({ leaseMs, ...(events && { events }) });
  open = store;
  const logged: { level: string; err?: unknown; message: string }[] = [];
  const logger = (level: string) => (line: { err?: unknown }, message: string) =>
    void logged.push({ level, err: line.err, message });
  const log = { info: logger('info'), warn: logger('warn'), error: logger('error') };

  /** The notifications that were claimed, in order, with the time of each. */
  const claimed: { number: number; at: number }[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  /** A turn lasts until this promise is resolved. */
  let turn = async (_payment: Payment): Promise<unknown> => undefined;
  const delivery = {
    resume: async (payment: Payment) => {
      claimed.push({ number: Number(payment.payment_id.slice(4)), at: Date.now() - now });
      underWay += 1;
      mostUnderWay = Math.max(mostUnderWay, underWay);
      try {
        await turn(payment);
        const sent: Payment = { ...payment, notification_status: 'sent' };
        await store.update(sent);
        return sent;
      } finally {
        underWay -= 1;
      }
    },
  } as Partial<Delivery> as Delivery;

  const start = (options: Partial<OutboxOptions> = {}) => {
    const outbox = startOutbox({
      store,
      delivery,
      concurrency: 16,
      ratePerSecond: 100,
      keyRetentionMs: hour,
      paymentRetentionMs: 0,
      eventRetentionMs: 30 * 24 * hour,
      longestWaitMs: 2 * hour,
      clock: { mayExpire: () => true },
      controls: { read: async () => {} },
      log: log as unknown as FastifyBaseLogger,
      ...options,
    });
    started.push(outbox);
    return outbox;
  };
  const insertDue = async (from: number, to: number, dueInMs = -1) =>
    Promise.all(
      Array.from({ length: to - from + 1 }, (_, index) => store.insert(dueIn(from + index, dueInMs))),
    );
  return {
    ...{ store, logged, claimed, start, insertDue },
    numbers: () => claimed.map(({ number }) => number),
    mostUnderWay: () => mostUnderWay,
    each: (does: typeof turn) => {
      turn = does;
    },
  };
}

function dueIn(number: number, ms: number): Payment {
  const next_attempt_at = new Date(Date.now() + ms).toISOString();
  return paymentNumber(number, { next_attempt_at });
}

describe('the outbox', () => {
  test('claims each notification that is due once, and none before', async () => {
    const { store, numbers, start, insertDue } = await setUp();
    await insertDue(1, 3);
    await insertDue(4, 4, 1900);
    await store.insert(paymentNumber(5, { notification_status: 'sent' }));
    await store.insert(paymentNumber(6)); // held
    start();
    await pass(1500);
    expect(numbers().toSorted()).toEqual([1, 2, 3]);
    await pass(1500); // an idle outbox claims every half second
    expect(numbers().toSorted()).toEqual([1, 2, 3, 4]);
    await pass(60_000);
    expect(numbers()).toHaveLength(4);
  });

  test('given no work before, claims a notification soon after it has become due', async () => {
    const { claimed, start, insertDue } = await setUp();
    start();
    await pass(5000);
    await insertDue(1, 1, 250);
    await pass(1000);
    expect(claimed).toHaveLength(1);
    expect(claimed[0]?.at).toBeGreaterThanOrEqual(5250);
    expect(claimed[0]?.at).toBeLessThanOrEqual(5850);
  });
});

test('the outbox runs as many turns at a time as its concurrency allows, and no more', async () => {
  const { each, claimed, mostUnderWay, start, insertDue } = await setUp();
  const held: (() => void)[] = [];
  each(() => new Promise<void>((resolve) => void held.push(resolve)));
  await insertDue(1, 20);
  start({ concurrency: 7, ratePerSecond: 10_000 });
  await pass(2000);
  expect(claimed).toHaveLength(7);
  for (const letGo of held.splice(0, 2)) letGo();
  await pass(500);
  expect(claimed).toHaveLength(9);
  while (claimed.length < 20) {
    for (const letGo of held.splice(0)) letGo();
    await pass(200);
  }
  for (const letGo of held) letGo();
  expect(mostUnderWay()).toBe(7);
});

describe('the outbox, within its rate', () => {
  async function mostInASecond(ratePerSecond: number, due: number) {
    const { claimed, start, insertDue } = await setUp();
    await insertDue(1, due);
    start({ ratePerSecond, concurrency: 1000 });
    await pass(3000);
    const most = Math.max(
      ...claimed.map(({ at: from }) => claimed.filter(({ at }) => at >= from && at < from + 1000).length),
    );
    return { most, total: claimed.length };
  }

  test.each([
    10, 20, 100, 500,
  ])('given %i per second, claims as many in a second and no more', async (ratePerSecond) => {
    const { most, total } = await mostInASecond(ratePerSecond, ratePerSecond * 3 + 50);
    expect(most).toBe(ratePerSecond); // and not fewer while there is work
    expect(total).toBeGreaterThanOrEqual(ratePerSecond * 2.8);
  });

  // These rates have a fraction in each tick of 100 ms, which is carried over to the next one.
  test.each([
    15, 25, 106,
  ])('given %i per second, carries the fraction of a tick over', async (ratePerSecond) => {
    const { most } = await mostInASecond(ratePerSecond, ratePerSecond * 3 + 50);
    expect(most).toBe(ratePerSecond);
  });
});

describe('stopping the outbox', () => {
  test('waits for the turns under way, and claims no more', async () => {
    const { each, claimed, start, insertDue, store } = await setUp();
    const end = Promise.withResolvers<void>();
    each(() => end.promise);
    await insertDue(1, 2);
    const outbox = start();
    await pass(200);
    expect(claimed).toHaveLength(2);
    const stopped = vi.fn();
    const stopping = outbox.stop().then(stopped);
    await insertDue(3, 5);
    await pass(5000);
    expect(stopped).not.toHaveBeenCalled();
    end.resolve();
    await stopping;
    expect(claimed).toHaveLength(2);
    // What was under way is recorded, and the rest is still due for the next worker.
    const statuses = await Promise.all(
      [1, 2, 3, 4, 5].map(
        async (number) => (await store.find(paymentNumber(number).payment_id))?.notification_status,
      ),
    );
    expect(statuses).toEqual(['sent', 'sent', 'pending', 'pending', 'pending']);
    expect(await store.claimDue(10)).toHaveLength(3);
  });

  test('does not wait for a pause to end', async () => {
    const { start } = await setUp();
    const outbox = start();
    await work();
    await outbox.stop(); // the clock stands still, so that a pause would not end
    await outbox.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('handles the notifications of a claim that was under way', async () => {
    const { start, claimed, insertDue, store } = await setUp();
    await insertDue(1, 2);
    const outbox = start();
    await outbox.stop(); // the claim has begun, and the store has not responded yet
    expect(claimed).toHaveLength(2);
    expect((await store.find(paymentNumber(1).payment_id))?.notification_status).toBe('sent');
  });
});

describe('the outbox logs a failure and continues', () => {
  test('given a store that fails to claim', async () => {
    const { store, start, insertDue, claimed, logged } = await setUp();
    await insertDue(1, 1);
    const down = new StoreUnavailable('disk full');
    const claimDue = vi.spyOn(store, 'claimDue').mockRejectedValueOnce(down).mockRejectedValueOnce(down);
    start();
    await pass(9000);
    expect(claimed).toEqual([]);
    expect(claimDue).toHaveBeenCalledTimes(2); // the pause spares the store and the log
    await pass(2000);
    expect(claimed).toHaveLength(1);
    expect(logged).toEqual(Array(2).fill({ level: 'error', err: down, message: 'the outbox failed' }));
  });

  test('given a store that fails to delete keys', async () => {
    const { store, start, insertDue, claimed, logged } = await setUp();
    vi.spyOn(store, 'deleteKeys').mockRejectedValueOnce(new StoreUnavailable('disk full'));
    start();
    await pass(200);
    await insertDue(1, 1);
    await pass(6000);
    expect(claimed).toHaveLength(1);
    expect(logged).toMatchObject([{ level: 'error' }]);
  });

  test.each([
    [new StoreUnavailable('disk full'), 'error', 'the outbox failed'],
    [new LeaseLost('pmt_1'), 'warn', 'another worker has claimed this notification'],
    [new TypeError('a bug'), 'error', 'the outbox failed'],
  ])('given a turn that fails with %s, claims its notification again when the lease has expired', async (error, level, message) => {
    const { each, numbers, start, insertDue, logged } = await setUp({ leaseMs: 5000 });
    await insertDue(1, 2);
    let failures = 0;
    each(async ({ payment_id }) => {
      if (payment_id === paymentNumber(1).payment_id && ++failures === 1) throw error;
    });
    start();
    await pass(4500);
    expect(numbers().toSorted()).toEqual([1, 2]);
    expect(logged).toMatchObject([{ level, message }]);
    await pass(1500);
    expect(numbers().filter((number) => number === 1)).toHaveLength(2);
    expect(logged).toHaveLength(1);
  });
});

describe('the outbox, given notifications that are due too late', () => {
  const lease = { leaseMs: 5000 };

  test('claims them within a lease of its start', async () => {
    const { start, insertDue, numbers, logged } = await setUp(lease);
    await insertDue(1, 1, 3 * hour);
    await insertDue(2, 2, 2 * hour); // no later than the longest wait
    start();
    await pass(4000);
    expect(numbers()).toEqual([]);
    await pass(2000);
    expect(numbers()).toEqual([1]);
    expect(logged).toMatchObject([{ level: 'warn' }]);
  });

  test('claims them within a lease of a wall clock set back', async () => {
    const { start, insertDue, numbers } = await setUp(lease);
    start();
    await insertDue(1, 1, hour);
    await pass(1000);
    vi.setSystemTime(Date.now() - 1.5 * hour);
    await pass(6000);
    expect(numbers()).toEqual([1]);
  });

  test('given some that another process has written, claims them within a minute and a lease', async () => {
    const { start, insertDue, numbers } = await setUp(lease);
    start();
    await pass(1000);
    await insertDue(1, 1, 3 * hour);
    await pass(66_000);
    expect(numbers()).toEqual([1]);
  });

  test('brings all of them forward, even 2500', async () => {
    const { store, start, insertDue } = await setUp(lease);
    await insertDue(1, 2500, 3 * hour);
    start();
    await pass(1000);
    expect(await store.bringForward(2 * hour, 10)).toBe(0);
  });

  test('given none, searches for them once a minute', async () => {
    const { store, start } = await setUp(lease);
    const bringForward = vi.spyOn(store, 'bringForward');
    start();
    await pass(59_000);
    expect(bringForward).toHaveBeenCalledTimes(1);
    await pass(2000);
    expect(bringForward).toHaveBeenCalledTimes(2);
  });
});

describe('the outbox, given a wall clock that is not trusted', () => {
  test('deletes no key and redacts no payment until it is', async () => {
    const { store, start } = await setUp();
    const payment = paymentNumber(1, {
      created_at: new Date(now).toISOString(),
      notification_status: 'sent',
    });
    await store.insert(payment, recordOf('key-1', payment));
    vi.setSystemTime(now + 2 * hour);
    let mayExpire = false;
    start({ paymentRetentionMs: hour, clock: { mayExpire: () => mayExpire } });
    await pass(2000);
    const known = async () => {
      const another = paymentNumber(2, { notification_status: 'sent' });
      return (await store.insert(another, recordOf('key-1', another))).known !== undefined;
    };
    expect((await store.find(payment.payment_id))?.message).not.toBeNull();
    expect(await known()).toBe(true);
    mayExpire = true;
    await pass(2000);
    expect((await store.find(payment.payment_id))?.message).toBeNull();
    expect(await known()).toBe(false);
  });
});

describe('the outbox, given idempotency keys', () => {
  const insertKeys = async (store: Store, from: number, count: number) => {
    await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const payment = paymentNumber(from + index, { notification_status: 'sent' });
        return store.insert(payment, recordOf(`key-${from + index}`, payment));
      }),
    );
  };
  const isKnown = async (store: Store, number: number) => {
    const another = paymentNumber(90_000 + number, { notification_status: 'sent' });
    return (await store.insert(another, recordOf(`key-${number}`, another))).known !== undefined;
  };

  test('deletes them after their retention, and not before', async () => {
    const { store, start } = await setUp();
    await insertKeys(store, 1, 1);
    await pass(2000);
    await insertKeys(store, 2, 1);
    start({ keyRetentionMs: 10_000 });
    await pass(7900);
    expect(await isKnown(store, 1)).toBe(true);
    await pass(1100);
    expect(await isKnown(store, 2)).toBe(true);
    expect(await isKnown(store, 1)).toBe(false);
  });

  test('deletes all of them, even 2500', async () => {
    const { store, start } = await setUp();
    await insertKeys(store, 1, 2500);
    vi.setSystemTime(now + 2 * hour);
    start();
    await pass(1000);
    const known = await Promise.all([1, 1000, 2500].map((number) => isKnown(store, number)));
    expect(known).toEqual([false, false, false]);
  });
});

describe('the outbox, given payments with text and phone', () => {
  const ended = (number: number) =>
    paymentNumber(number, { created_at: new Date(now).toISOString(), notification_status: 'sent' });
  const isRedacted = async (store: Store, number: number) =>
    (await store.find(ended(number).payment_id))?.message === null;

  test('redacts all of them after their retention, even 2500, and not before', async () => {
    const { store, start } = await setUp();
    await Promise.all(Array.from({ length: 2500 }, (_, at) => store.insert(ended(at + 1))));
    start({ paymentRetentionMs: 10_000 });
    await pass(9900);
    expect(await isRedacted(store, 1)).toBe(false);
    await pass(1500);
    expect(await Promise.all([1, 1000, 2500].map((number) => isRedacted(store, number)))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('given a retention of 0, redacts none', async () => {
    const { store, start } = await setUp();
    await store.insert(ended(1));
    vi.setSystemTime(now + 365 * 24 * hour);
    start({ paymentRetentionMs: 0 });
    await pass(1000);
    expect(await isRedacted(store, 1)).toBe(false);
  });
});

describe('the outbox, given events', () => {
  const record = (store: Store, number: number) =>
    store.insert(
      paymentNumber(number, {
        updated_at: new Date().toISOString(),
        ...{ notification_status: 'held', reason: 'phone_unknown' },
      }),
    );
  const idsOf = async (store: Store) => {
    const page = await store.readEvents({ after: undefined, limit: 5000 });
    return page?.events.map(({ payment_id }) => payment_id);
  };

  test('deletes them after their retention, and not before, and looks for them once a minute', async () => {
    const { store, start } = await setUp({ events: 'feed' });
    await record(store, 1);
    await pass(10_000);
    const deleteEvents = vi.spyOn(store, 'deleteEvents');
    start({ eventRetentionMs: 120_000 });
    await pass(40_000);
    await record(store, 2);
    await pass(69_000);
    expect(await idsOf(store)).toHaveLength(2);
    await pass(30_000);
    expect(await idsOf(store)).toEqual([paymentNumber(2).payment_id]);
    expect(deleteEvents).toHaveBeenCalledTimes(4); // at the start, after one minute, and twice after two
  });

  test('deletes all that are old, even 2500', async () => {
    const { store, start } = await setUp({ events: 'feed' });
    await Promise.all(Array.from({ length: 2500 }, (_, at) => record(store, at + 1)));
    vi.setSystemTime(now + 2 * hour);
    await record(store, 3000);
    start({ eventRetentionMs: hour });
    await pass(1500);
    expect(await idsOf(store)).toEqual([paymentNumber(3000).payment_id]);
  });

  test('deletes none by a clock that was set ahead', async () => {
    const { store, start } = await setUp({ events: 'feed' });
    await record(store, 1);
    vi.setSystemTime(now + 2 * hour);
    start({ eventRetentionMs: hour, clock: { mayExpire: () => false } });
    await pass(2000);
    expect(await idsOf(store)).toHaveLength(1);
  });
});

test('the outbox deletes the counts of days and hours that are over, once a minute, and none by a clock that was set ahead', async () => {
  const { store, start } = await setUp();
  const deleteCounts = vi.spyOn(store, 'deleteCounts');
  let mayExpire = false;
  start({ clock: { mayExpire: () => mayExpire } });
  await pass(2000);
  expect(deleteCounts).not.toHaveBeenCalled();
  mayExpire = true;
  await pass(59_000);
  const before = { day: '2026-02-22', hour: '2026-03-01T11' };
  expect(deleteCounts.mock.calls).toEqual([[before, 1000]]);
  deleteCounts.mockResolvedValueOnce(1000);
  await pass(61_000);
  expect(deleteCounts).toHaveBeenCalledTimes(3); // more were left
});

test('given holds that cannot be read, the outbox claims nothing until they can, so that no held provider is used', async () => {
  const { claimed, start, insertDue } = await setUp();
  await insertDue(1, 1);
  const read = vi.fn(async () => {
    throw new StoreUnavailable('the store does not answer');
  });
  start({ controls: { read } });
  await pass(4000);
  expect(claimed).toEqual([]);
  read.mockImplementation(async () => undefined as never);
  await pass(5000);
  expect(claimed).toHaveLength(1);
});
