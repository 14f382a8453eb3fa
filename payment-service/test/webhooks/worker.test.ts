import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ClaimedWebhook } from '../../src/store/events.ts';
import type { Try } from '../../src/webhooks/endpoint.ts';
import type { WebhooksOptions } from '../../src/webhooks/worker.ts';
import { type Arrival, createWorld, fakeClocks, skip, start, timeoutMs } from './webhook-world.ts';

const [second, minute, hour] = [1000, 60_000, 3_600_000];
const failed: Try = { result: 'failed', reason: 'http_500' };
const refused: Try = { result: 'failed', reason: 'connection_refused' };
const taken: Try = { result: 'taken' };

let world: ReturnType<typeof createWorld>;
beforeEach(() => {
  fakeClocks();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  world = createWorld();
});
afterEach(async () => {
  await world.stopAll(); // before useRealTimers, because a pause on the fake clock would never end after it
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const recordSent = (count: number) =>
  Promise.all(numbers(count).map((number) => world.record(number, 'sent')));

/** Has each try wait until the test ends it. */
function holdTries() {
  const held: ((ended: Try) => void)[] = [];
  world.answer = () => new Promise<Try>((resolve) => void held.push(resolve));
  return held;
}

/** The statuses of each payment in the order in which they first arrived. */
function arrivedInOrder(arrivals: Arrival[]): Record<number, string[]> {
  const statuses: Record<number, string[]> = {};
  for (const { payment, status } of arrivals) {
    const known = statuses[payment] ?? [];
    statuses[payment] = known.includes(status) ? known : [...known, status];
  }
  return statuses;
}

describe('the webhook worker', () => {
  test('delivers each event once, and those of one payment one after the other in their order', async () => {
    for (const number of numbers(40)) await world.record(number, 'held', 'sent', 'delivered');
    let underWay = 0;
    const busy = new Set<number>();
    world.answer = async ({ payment }) => {
      expect(busy).not.toContain(payment);
      busy.add(payment);
      underWay += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      busy.delete(payment);
      return taken;
    };
    world.startWorker();
    await world.pass(2 * second);
    expect(underWay).toBe(120);
    const inOrder = Object.values(arrivedInOrder(world.arrivals));
    expect(inOrder).toEqual(Array(40).fill(['held', 'sent', 'delivered']));
    expect((await world.deliveries()).map(({ status, tries }) => [status, tries])).toEqual(
      Array(120).fill(['delivered', 1]),
    );
  });

  test('that is idle delivers an event within half a second, and at once if it is woken', async () => {
    const worker = world.startWorker();
    await world.pass(5 * second);
    await world.record(1, 'sent');
    await world.pass(520);
    expect(world.arrivals).toHaveLength(1);
    await world.pass(2 * second);
    await world.record(2, 'sent');
    worker.wake();
    await world.pass(20);
    expect(world.arrivals).toHaveLength(2);
  });

  test('claims at most every 20 ms, however often it is woken', async () => {
    const claim = vi.spyOn(world.store, 'claimWebhooks');
    const worker = world.startWorker();
    for (let passed = 0; passed < second; passed += 1) {
      worker.wake();
      await world.pass(1, 1);
    }
    expect(claim.mock.calls.length).toBeGreaterThan(30);
    expect(claim.mock.calls.length).toBeLessThanOrEqual(51);
  });

  test('claims no more than its concurrency, and as many as have ended', async () => {
    await recordSent(20);
    const held = holdTries();
    const worker = world.startWorker({ concurrency: 7 });
    await world.pass(second);
    expect(world.arrivals).toHaveLength(7);
    expect(worker.report()).toEqual({ state: 'closed', reason: null, under_way: 7 });
    for (const end of held.splice(0, 2)) end(taken);
    await world.pass(60);
    expect(world.arrivals).toHaveLength(9);
  });

  test('given a store that records no ends, claims no more than its concurrency', async () => {
    await recordSent(20);
    vi.spyOn(world.store, 'settleWebhooks').mockRejectedValue(new Error('the disk is full'));
    world.startWorker({ concurrency: 7 });
    await world.pass(10 * second);
    expect(world.arrivals).toHaveLength(7);
    vi.mocked(world.store.settleWebhooks).mockRestore();
    await world.pass(6 * second);
    expect(world.arrivals).toHaveLength(20);
    expect(new Set(world.arrivals.map(({ payment }) => payment)).size).toBe(20);
  });

  test('counts an event as claimed until its end is recorded', async () => {
    await recordSent(6);
    const held = holdTries();
    const { settleWebhooks } = world.store;
    vi.spyOn(world.store, 'settleWebhooks').mockImplementation(async (settlements) => {
      await new Promise((resolve) => setTimeout(resolve, second));
      await settleWebhooks(settlements);
    });
    world.startWorker({ concurrency: 2 });
    await world.pass(100);
    held[0]?.(taken);
    await world.pass(500);
    held[1]?.(taken); // while the first end is being recorded
    await world.pass(600);
    expect(world.arrivals).toHaveLength(3);
    await world.pass(second);
    expect(world.arrivals).toHaveLength(4);
  });

  test('that is woken during a claim claims again soon', async () => {
    const { claimWebhooks } = world.store;
    vi.spyOn(world.store, 'claimWebhooks').mockImplementationOnce(async (limit, leaseMs) => {
      const claimed = await claimWebhooks(limit, leaseMs);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return claimed;
    });
    const worker = world.startWorker();
    await world.pass(60);
    await world.record(1, 'sent');
    worker.wake();
    await world.pass(80);
    expect(world.arrivals).toHaveLength(1);
  });

  test('records the ends of many tries in one write', async () => {
    await recordSent(320);
    const settle = vi.spyOn(world.store, 'settleWebhooks');
    world.startWorker({ concurrency: 32 });
    await world.pass(second);
    expect(world.arrivals).toHaveLength(320);
    expect(settle.mock.calls.length).toBeLessThanOrEqual(11);
  });

  test('given a store that is unavailable, logs it once an outage, and goes on within five seconds', async () => {
    await recordSent(1);
    world.store.locked = true;
    world.startWorker();
    await world.pass(30 * second, 100);
    world.store.locked = false;
    await world.pass(5 * second);
    expect(world.arrivals).toHaveLength(1);
    world.store.locked = true;
    await world.pass(30 * second, 100);
    expect(world.lines.map(({ level }) => level)).toEqual(['error', 'error']);
    world.store.locked = false;
  });

  test('that stood still after a claim begins none of its tries, and they are claimed again when their leases have expired', async () => {
    await recordSent(1);
    const { claimWebhooks } = world.store;
    vi.spyOn(world.store, 'claimWebhooks').mockImplementationOnce(async (limit, leaseMs) => {
      const claimed = await claimWebhooks(limit, leaseMs);
      await new Promise((resolve) => setTimeout(resolve, 10_500));
      return claimed;
    });
    world.startWorker();
    await world.pass(29 * second, 100);
    expect(world.arrivals).toHaveLength(0);
    await world.pass(2 * second, 100);
    expect(world.arrivals).toHaveLength(1);
  });

  test('leases for fifteen seconds more than a try lasts', async () => {
    const claim = vi.spyOn(world.store, 'claimWebhooks');
    world.startWorker();
    await world.pass(20);
    expect(claim).toHaveBeenCalledWith(32, timeoutMs + 15_000);
  });
});

describe('a delivery that fails', () => {
  test('is tried again by the schedule, is a dead letter after eight tries, and lets the next one pass', async () => {
    await world.record(1, 'sent', 'delivered');
    world.answer = async ({ status }) => (status === 'sent' ? failed : taken);
    const observed: unknown[] = [];
    world.startWorker({ observe: (ended) => void observed.push(ended.result) });
    await world.pass(second);
    const waits: number[] = [];
    for (let tries = 1; tries < 8; tries += 1) {
      const [first] = await world.delivery(1);
      expect(first).toMatchObject({ status: 'pending', tries, reason: 'http_500' });
      waits.push(Date.parse(String(first?.next_try_at)) - Date.parse(String(first?.tried_at)));
      skip(Date.parse(String(first?.next_try_at)) - Date.now());
      await world.pass(61 * second, 100); // longer than the pause of the circuit
    }
    expect(waits).toEqual([5, 300, 1800, 7200, 18_000, 36_000, 36_000].map((seconds) => seconds * second));
    expect(world.arrivals.map(({ status }) => status)).toEqual([...Array(8).fill('sent'), 'delivered']);
    expect((await world.delivery(1)).map(({ status }) => status)).toEqual(['dead', 'delivered']);
    expect(observed).toEqual([...Array(7).fill('failed'), 'dead', 'delivered']);
    const warnings = world.lines.filter(({ text }) => text.includes('dead'));
    expect(warnings).toEqual([
      {
        level: 'warn',
        fields: {
          event_id: world.arrivals[0]?.event_id,
          payment_id: `pmt_${'1'.padStart(32, '0')}`,
          ...{ tries: 8, reason: 'http_500' },
        },
        text: 'a webhook delivery is dead: all its tries have failed',
      },
    ]);
  });

  test('holds up no other payment', async () => {
    await recordSent(100);
    world.answer = async ({ payment }) => (payment % 10 === 0 ? failed : taken);
    world.startWorker();
    await world.pass(2 * second);
    const delivered = world.arrivals.filter(({ result }) => result === 'taken');
    expect(delivered).toHaveLength(90);
  });

  test('with a Retry-After of its own is not tried before it, and the others go on', async () => {
    await recordSent(2);
    world.answer = async ({ payment }) =>
      payment === 1 && world.arrivals.length < 3
        ? { ...failed, retryAfterMs: 10 * minute, isThrottled: false }
        : taken;
    world.startWorker();
    await world.pass(10 * minute - second, 100);
    expect(world.arrivals.map(({ payment }) => payment)).toEqual([1, 2]);
    await world.pass(2 * second, 100);
    expect(world.arrivals.map(({ payment }) => payment)).toEqual([1, 2, 1]);
  });
});

describe('given an endpoint', () => {
  test('that is dead for an hour, every event arrives once after it, in order, and few requests were made', {
    timeout: 30_000,
  }, async () => {
    for (const number of numbers(100)) await world.record(number, 'sent', 'delivered');
    world.answer = async () => refused;
    world.startWorker();
    await world.pass(hour / 2, 250);
    for (const number of numbers(30)) await world.record(100 + number, 'sent', 'delivered');
    await world.pass(hour / 2, 250);
    const during = world.arrivals.length;
    expect(during).toBeGreaterThan(32 + 50); // probes went on
    expect(during).toBeLessThan(32 + 75); // a first round, and about one a minute
    const tries = (await world.deliveries()).map((delivery) => delivery.tries);
    expect(Math.max(...tries)).toBeLessThanOrEqual(2);

    world.answer = async () => taken;
    await world.pass(7 * minute, 100);
    const after = world.arrivals.slice(during);
    expect(after).toHaveLength(260);
    expect(new Set(after.map(({ event_id }) => event_id)).size).toBe(260);
    expect(Object.values(arrivedInOrder(after))).toEqual(Array(130).fill(['sent', 'delivered']));
    expect((await world.deliveries()).every(({ status }) => status === 'delivered')).toBe(true);
    expect(world.lines.map(({ level, fields }) => [level, fields])).toEqual([
      ['warn', { host: 'shop.example', reason: 'connection_refused' }],
      ['info', { host: 'shop.example' }],
    ]);
  });

  test('that is dead, the worker reads and writes nothing between two probes', async () => {
    await recordSent(100);
    world.answer = async () => refused;
    const worker = world.startWorker();
    await world.pass(second);
    expect(worker.report()).toMatchObject({ state: 'open', reason: 'connection_refused', under_way: 0 });
    const claim = vi.spyOn(world.store, 'claimWebhooks');
    const settle = vi.spyOn(world.store, 'settleWebhooks');
    for (let passed = 0; passed < 3 * second; passed += 100) {
      worker.wake();
      await world.pass(100);
    }
    expect([claim.mock.calls.length, settle.mock.calls.length]).toEqual([0, 0]);
    await world.pass(2 * second);
    expect(claim.mock.calls).toEqual([[1, 30_000]]);
  });

  test('that fails during a claim, what was claimed is given back untried', async () => {
    await recordSent(5);
    const held = holdTries();
    const worker = world.startWorker({ concurrency: 10 });
    await world.pass(100);
    const { claimWebhooks } = world.store;
    vi.spyOn(world.store, 'claimWebhooks').mockImplementationOnce(async (limit, leaseMs) => {
      const claimed = await claimWebhooks(limit, leaseMs);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return claimed;
    });
    for (const number of numbers(5)) await world.record(5 + number, 'sent');
    worker.wake();
    await world.pass(100);
    for (const end of held.splice(0)) end(refused);
    await world.pass(4 * second);
    expect(world.arrivals).toHaveLength(5);
    const given = (await world.deliveries()).slice(5);
    expect(given.map(({ tries }) => tries)).toEqual(Array(5).fill(0));
    expect(given.every(({ next_try_at }) => Date.parse(String(next_try_at)) <= Date.now())).toBe(true);
    await world.pass(2 * second);
    expect(world.arrivals).toHaveLength(6);
  });

  test('that is dead, a resume changes nothing', async () => {
    await recordSent(50);
    world.answer = async () => refused;
    const worker = world.startWorker();
    await world.pass(second);
    worker.resume();
    await world.pass(second);
    expect(world.arrivals).toHaveLength(32);
    expect(worker.report().state).toBe('open');
  });

  test('that is silent, it gets one probe at a time', async () => {
    await recordSent(100);
    const held = holdTries();
    world.startWorker();
    await world.pass(20);
    for (const end of held.splice(0)) end(refused);
    await world.pass(14 * second, 100);
    expect(world.arrivals).toHaveLength(33);
    held.splice(0)[0]?.(refused);
    await world.pass(9 * second, 100);
    expect(world.arrivals).toHaveLength(33); // the pause has doubled
    await world.pass(2 * second, 100);
    expect(world.arrivals).toHaveLength(34);
    held.splice(0)[0]?.(taken);
    await world.pass(second);
    expect(held.length).toBeGreaterThan(30);
  });

  test('that asks all deliveries to wait with a 429, it gets nothing before', async () => {
    await recordSent(100);
    const throttled: Try = {
      result: 'failed',
      reason: 'http_429',
      retryAfterMs: 10 * minute,
      isThrottled: true,
    };
    world.answer = async () => throttled;
    world.startWorker({ concurrency: 1 });
    await world.pass(10 * minute - second, 100);
    expect(world.arrivals).toHaveLength(1);
    world.answer = async () => taken;
    await world.pass(6 * second);
    expect(world.arrivals).toHaveLength(101);
  });

  test('that asks all deliveries to wait for a day, a resume has it asked within five seconds', async () => {
    await recordSent(100);
    const retryAfterMs = 24 * hour;
    world.answer = async () => ({ result: 'failed', reason: 'http_503', retryAfterMs, isThrottled: true });
    const worker = world.startWorker({ concurrency: 1 });
    await world.pass(hour, 1000);
    expect(world.arrivals).toHaveLength(1);
    world.answer = async () => taken;
    worker.resume();
    await world.pass(8 * second);
    expect(world.arrivals).toHaveLength(100); // the one that was refused waits
  });

  test('that answers 410, the worker stops until it is resumed, and no try has counted', async () => {
    await recordSent(100);
    world.answer = async () => ({ result: 'gone' });
    const observed: unknown[] = [];
    const worker = world.startWorker({ concurrency: 3, observe: (ended) => void observed.push(ended) });
    await world.pass(10 * minute, 100);
    worker.wake();
    await world.pass(second);
    expect(world.arrivals).toHaveLength(3);
    expect(worker.report()).toEqual({ state: 'stopped', reason: 'http_410', under_way: 0 });
    expect(world.lines.map(({ level, fields }) => [level, fields])).toEqual([
      ['error', { host: 'shop.example', reason: 'http_410' }],
    ]);
    expect(observed).toEqual([]);
    const deliveries = await world.deliveries();
    expect(deliveries.every(({ status, tries }) => status === 'pending' && tries === 0)).toBe(true);
    expect(deliveries.every(({ next_try_at }) => Date.parse(String(next_try_at)) <= start + second)).toBe(
      true,
    );

    world.answer = async () => taken;
    worker.resume();
    await world.pass(2 * second);
    expect(world.arrivals).toHaveLength(103);
  });
});

describe('a stop of the webhook worker', () => {
  test('lets tries end within three seconds, gives the others back uncounted, and claims nothing more', async () => {
    await recordSent(10);
    world.answer = ({ payment }) =>
      payment === 1
        ? new Promise((resolve) => setTimeout(() => resolve(taken), 2500))
        : new Promise(() => {}); // until it is closed
    const claim = vi.spyOn(world.store, 'claimWebhooks');
    const worker = world.startWorker({ concurrency: 3 });
    await world.pass(second);
    const calls = claim.mock.calls.length;
    let isStopped = false;
    const stopped = worker.stop().then(() => {
      isStopped = true;
    });
    await world.pass(2900);
    expect(isStopped).toBe(false);
    await world.pass(300);
    await stopped;
    expect(claim.mock.calls).toHaveLength(calls);
    expect((await world.deliveries()).map(({ status, tries }) => [status, tries])).toEqual([
      ['delivered', 1],
      ...Array(9).fill(['pending', 0]),
    ]);
    world.answer = async () => taken;
    world.startWorker();
    await world.pass(100); // without a wait for the leases
    expect(world.arrivals.filter(({ result }) => result === 'taken')).toHaveLength(10);
  });

  test('during a claim gives back what was claimed', async () => {
    await recordSent(5);
    const claim = Promise.withResolvers<void>();
    const store: WebhooksOptions['store'] = {
      ...world.store,
      claimWebhooks: async (limit, leaseMs) => {
        await claim.promise;
        return world.store.claimWebhooks(limit, leaseMs);
      },
    };
    const worker = world.startWorker({ store });
    await world.pass(20);
    const stopped = worker.stop();
    claim.resolve();
    await world.pass(100);
    await stopped;
    expect(world.arrivals).toHaveLength(0);
    const due = (await world.deliveries()).map(({ next_try_at }) => Date.parse(String(next_try_at)));
    expect(Math.max(...due)).toBeLessThanOrEqual(Date.now());
  });

  test('waits for tries while the store does not answer, so that a stop has time for both', async () => {
    await recordSent(2);
    holdTries();
    const answered = Promise.withResolvers<ClaimedWebhook[]>();
    const claimWebhooks = vi
      .fn(world.store.claimWebhooks)
      .mockImplementationOnce(world.store.claimWebhooks)
      .mockImplementation(() => answered.promise);
    const worker = world.startWorker({ store: { ...world.store, claimWebhooks } });
    await world.pass(second);
    expect([world.arrivals.length, claimWebhooks.mock.calls.length]).toEqual([2, 2]);
    const stopped = worker.stop();
    await world.pass(4 * second);
    answered.resolve([]);
    await world.pass(100);
    expect(
      (await world.deliveries()).map(({ next_try_at }) => Date.parse(String(next_try_at)) <= Date.now()),
    ).toEqual([true, true]);
    await stopped;
  });

  test('ends though the store records nothing', async () => {
    await recordSent(1);
    world.startWorker();
    holdTries();
    await world.pass(20);
    world.store.locked = true;
    await world.stopAll();
    expect(world.lines.map(({ level }) => level)).toEqual(['error']);
  });
});
