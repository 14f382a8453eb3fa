import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Delivery } from '../../src/delivery/delivery.ts';
import { type Outbox, type OutboxOptions, startOutbox } from '../../src/delivery/outbox.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { LeaseLost, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber, recordOf } from '../store/store-contract.ts';

const now = Date.parse('2026-03-01T12:00:00.000Z');
const hour = 3_600_000;

// The outbox waits by node:timers/promises. setImmediate is left alone: the store commits by it.
beforeEach(() => {
  vi.useFakeTimers({ now, fakeNodeBuiltins: true, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
const started: Outbox[] = [];
let open: Store;
afterEach(async () => {
  // Before the real clock is back: a fake pause does not end any more then.
  await Promise.all(started.splice(0).map((outbox) => outbox.stop()));
  vi.useRealTimers();
});

/** Lets the time pass in small steps, and the store do its work in each. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await vi.advanceTimersByTimeAsync(Math.min(50, ms - passed));
    await work();
  }
}

/** What the store was given before a write is done when that one is; it changes nothing, and so waits for no disk. */
async function work(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await open.deletePhone('nobody');
    await new Promise(setImmediate);
  }
}

async function setUp({ leaseMs = hour } = {}) {
  const store = createMemoryStore({ leaseMs });
  open = store;
  const logged: { level: string; err?: unknown; message: string }[] = [];
  const logger = (level: string) => (line: { err?: unknown }, message: string) =>
    void logged.push({ level, err: line.err, message });
  const log = { info: logger('info'), warn: logger('warn'), error: logger('error') };

  /** What was taken on, in order, and when. */
  const taken: { number: number; at: number }[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  /** How long a turn takes: until this promise is resolved. */
  let turn = async (_payment: Payment): Promise<unknown> => undefined;
  const delivery = {
    resume: async (payment: Payment) => {
      taken.push({ number: Number(payment.payment_id.slice(4)), at: Date.now() - now });
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
    ...{ store, logged, taken, start, insertDue },
    numbers: () => taken.map(({ number }) => number),
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

describe('what is due', () => {
  test('is taken on, once each, and what is not due is not', async () => {
    const { store, numbers, start, insertDue } = await setUp();
    await insertDue(1, 3);
    await insertDue(4, 4, 1900);
    await store.insert(paymentNumber(5, { notification_status: 'sent' }));
    await store.insert(paymentNumber(6)); // held
    start();
    await pass(1500);
    expect(numbers().toSorted()).toEqual([1, 2, 3]);
    await pass(1500); // an idle outbox looks again every half second
    expect(numbers().toSorted()).toEqual([1, 2, 3, 4]);
    await pass(60_000);
    expect(numbers()).toHaveLength(4);
  });

  test('is found soon after it has become due, also by an outbox that was idle', async () => {
    const { taken, start, insertDue } = await setUp();
    start();
    await pass(5000);
    await insertDue(1, 1, 250);
    await pass(1000);
    expect(taken).toHaveLength(1);
    expect(taken[0]?.at).toBeGreaterThanOrEqual(5250);
    expect(taken[0]?.at).toBeLessThanOrEqual(5850);
  });
});

test('never are more under way than allowed, and room that becomes free is used', async () => {
  const { each, taken, mostUnderWay, start, insertDue } = await setUp();
  const held: (() => void)[] = [];
  each(() => new Promise<void>((resolve) => void held.push(resolve)));
  await insertDue(1, 20);
  start({ concurrency: 7, ratePerSecond: 10_000 });
  await pass(2000);
  expect(taken).toHaveLength(7);
  for (const letGo of held.splice(0, 2)) letGo();
  await pass(500);
  expect(taken).toHaveLength(9);
  while (taken.length < 20) {
    for (const letGo of held.splice(0)) letGo();
    await pass(200);
  }
  for (const letGo of held) letGo();
  expect(mostUnderWay()).toBe(7);
});

describe('never are more taken on in a second than allowed', () => {
  async function mostInASecond(ratePerSecond: number, due: number) {
    const { taken, start, insertDue } = await setUp();
    await insertDue(1, due);
    start({ ratePerSecond, concurrency: 1000 });
    await pass(3000);
    const most = Math.max(
      ...taken.map(({ at: from }) => taken.filter(({ at }) => at >= from && at < from + 1000).length),
    );
    return { most, total: taken.length };
  }

  test.each([10, 20, 100, 500])('%i', async (ratePerSecond) => {
    const { most, total } = await mostInASecond(ratePerSecond, ratePerSecond * 3 + 50);
    expect(most).toBe(ratePerSecond); // and not fewer, as long as there is work
    expect(total).toBeGreaterThanOrEqual(ratePerSecond * 2.8);
  });

  // No whole number for each tenth of a second: the rest is carried over to the next.
  test.each([15, 25, 106])('%i', async (ratePerSecond) => {
    const { most } = await mostInASecond(ratePerSecond, ratePerSecond * 3 + 50);
    expect(most).toBe(ratePerSecond);
  });
});

describe('stop', () => {
  test('waits for those under way, and takes on no more', async () => {
    const { each, taken, start, insertDue, store } = await setUp();
    const end = Promise.withResolvers<void>();
    each(() => end.promise);
    await insertDue(1, 2);
    const outbox = start();
    await pass(200);
    expect(taken).toHaveLength(2);
    const stopped = vi.fn();
    const stopping = outbox.stop().then(stopped);
    await insertDue(3, 5);
    await pass(5000);
    expect(stopped).not.toHaveBeenCalled();
    end.resolve();
    await stopping;
    expect(taken).toHaveLength(2);
    // What was under way has been put down, and what was not is still due for whoever comes next.
    const statuses = await Promise.all(
      [1, 2, 3, 4, 5].map(
        async (number) => (await store.find(paymentNumber(number).payment_id))?.notification_status,
      ),
    );
    expect(statuses).toEqual(['sent', 'sent', 'pending', 'pending', 'pending']);
    expect(await store.claimDue(10)).toHaveLength(3);
  });

  test('does not wait for the end of a pause', async () => {
    const { start } = await setUp();
    const outbox = start();
    await work();
    await outbox.stop(); // and the clock stands still
    await outbox.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('handles what was being claimed at that moment', async () => {
    const { start, taken, insertDue, store } = await setUp();
    await insertDue(1, 2);
    const outbox = start();
    await outbox.stop(); // the claim has begun, and the store has not answered yet
    expect(taken).toHaveLength(2);
    expect((await store.find(paymentNumber(1).payment_id))?.notification_status).toBe('sent');
  });
});

describe('what fails is logged, and the outbox goes on', () => {
  test('the store, when it is to say what is due', async () => {
    const { store, start, insertDue, taken, logged } = await setUp();
    await insertDue(1, 1);
    const down = new StoreUnavailable('disk full');
    const claimDue = vi.spyOn(store, 'claimDue').mockRejectedValueOnce(down).mockRejectedValueOnce(down);
    start();
    await pass(9000);
    expect(taken).toEqual([]);
    expect(claimDue).toHaveBeenCalledTimes(2); // it does not hammer at it, or fill the log
    await pass(2000);
    expect(taken).toHaveLength(1);
    expect(logged).toEqual(Array(2).fill({ level: 'error', err: down, message: 'the outbox failed' }));
  });

  test('the store, when keys are to be forgotten', async () => {
    const { store, start, insertDue, taken, logged } = await setUp();
    vi.spyOn(store, 'deleteKeys').mockRejectedValueOnce(new StoreUnavailable('disk full'));
    start();
    await pass(200);
    await insertDue(1, 1);
    await pass(6000);
    expect(taken).toHaveLength(1);
    expect(logged).toMatchObject([{ level: 'error' }]);
  });

  test.each([
    [new StoreUnavailable('disk full'), 'error', 'the outbox failed'],
    [new LeaseLost('pmt_1'), 'warn', 'another worker has claimed this notification'],
    [new TypeError('a bug'), 'error', 'the outbox failed'],
  ])('a turn, %s; the notification is taken on again when its lease has run out', async (error, level, message) => {
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

describe('idempotency keys', () => {
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

  test('are forgotten when they are old, and not before', async () => {
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

  test('are forgotten all, however many', async () => {
    const { store, start } = await setUp();
    await insertKeys(store, 1, 2500);
    vi.setSystemTime(now + 2 * hour);
    start();
    await pass(1000);
    const known = await Promise.all([1, 1000, 2500].map((number) => isKnown(store, number)));
    expect(known).toEqual([false, false, false]);
  });
});

describe('text and phone of a payment', () => {
  const ended = (number: number) =>
    paymentNumber(number, { created_at: new Date(now).toISOString(), notification_status: 'sent' });
  const isBlank = async (store: Store, number: number) =>
    (await store.find(ended(number).payment_id))?.message === null;

  test('are blanked when their time has come, and not before, however many', async () => {
    const { store, start } = await setUp();
    await Promise.all(Array.from({ length: 2500 }, (_, at) => store.insert(ended(at + 1))));
    start({ paymentRetentionMs: 10_000 });
    await pass(9900);
    expect(await isBlank(store, 1)).toBe(false);
    await pass(1500);
    expect(await Promise.all([1, 1000, 2500].map((number) => isBlank(store, number)))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('are kept for ever where no time is set', async () => {
    const { store, start } = await setUp();
    await store.insert(ended(1));
    vi.setSystemTime(now + 365 * 24 * hour);
    start({ paymentRetentionMs: 0 });
    await pass(1000);
    expect(await isBlank(store, 1)).toBe(false);
  });
});
