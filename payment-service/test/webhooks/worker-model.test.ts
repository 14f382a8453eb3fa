import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Try } from '../../src/webhooks/endpoint.ts';
import type { Webhooks, WebhooksOptions } from '../../src/webhooks/worker.ts';
import { type Arrival, createWorld, fakeClocks, skip } from './webhook-world.ts';

const timeoutMs = 1000;
const concurrency = 3;
const statuses = ['held', 'sent', 'delivered', 'failed'] as const;

/** A try and its end, `afterMs` later: no end comes after its deadline. */
const tries = fc.record({
  result: fc.constantFrom<Try[]>(
    { result: 'taken' },
    { result: 'failed', reason: 'http_500' },
    { result: 'failed', reason: 'http_503', retryAfterMs: 2000, isThrottled: true },
  ),
  afterMs: fc.nat(timeoutMs),
});
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('record' as const), payment: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(1500) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(20_000) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('crash' as const), worker: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('stop' as const), worker: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('stall' as const), worker: fc.nat(1), ms: fc.nat(40_000) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Two workers on one store, each of which can crash, stop, and lose its connection to the store. */
function createPair(ends: { result: Try; afterMs: number }[]) {
  const world = createWorld();
  const underWay = new Map<number, number>();
  let most = 0;
  world.answer = async ({ by }) => {
    const { result, afterMs } = ends.pop() ?? { result: { result: 'taken' } as const, afterMs: 1 };
    const count = (underWay.get(by) ?? 0) + 1;
    underWay.set(by, count);
    most = Math.max(most, count);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    underWay.set(by, (underWay.get(by) ?? 0) - 1);
    return result;
  };

  function startOne() {
    let isCrashed = false;
    let stalledUntil = 0;
    /** What a crashed worker asks of the store is never answered; what a stalled one asks, later. */
    const reaches = async <T>(work: () => Promise<T>): Promise<T> => {
      const stall = async () => {
        const ms = stalledUntil - performance.now();
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
        if (isCrashed) await new Promise(() => {});
      };
      await stall();
      const result = await work();
      await stall();
      return result;
    };
    const store: WebhooksOptions['store'] = {
      claimWebhooks: (...args) => reaches(() => world.store.claimWebhooks(...args)),
      settleWebhooks: (...args) => reaches(() => world.store.settleWebhooks(...args)),
    };
    const webhooks: Webhooks = world.startWorker({ store, concurrency, timeoutMs });
    return {
      webhooks,
      crash: () => {
        isCrashed = true;
      },
      stall: (ms: number) => {
        stalledUntil = performance.now() + ms;
      },
    };
  }

  const pair = [startOne(), startOne()];
  const recorded = new Map<number, number>();
  return {
    world,
    most: () => most,
    async take(step: Step): Promise<void> {
      if (step.type === 'pass') return world.pass(step.ms, 50);
      if (step.type === 'record') {
        const count = recorded.get(step.payment) ?? 0;
        recorded.set(step.payment, count + 1);
        const status = statuses[count % statuses.length];
        if (status) await world.record(step.payment, status);
        return;
      }
      const worker = pair[step.worker];
      if (step.type === 'stall') return worker?.stall(step.ms);
      if (step.type === 'crash') worker?.crash();
      else void worker?.webhooks.stop();
      pair[step.worker] = startOne();
    },
    /** Two more workers, whose connections hold, meet an endpoint that takes everything. */
    async recover(): Promise<void> {
      ends.length = 0;
      for (const worker of pair.splice(0)) worker.crash();
      startOne();
      startOne();
      for (let round = 0; round < 200; round += 1) {
        const deliveries = await world.deliveries();
        if (deliveries.every(({ status }) => status === 'delivered')) return;
        await world.pass(2000, 50);
        skip(60_000);
      }
      throw new Error('an event is still pending');
    },
  };
}

test('given two workers that crash, stall and stop between a try and its record, each event arrives, first arrivals are in order, and each worker has few under way', {
  timeout: 120_000,
}, async () => {
  const property = fc.asyncProperty(
    fc.array(tries, { maxLength: 40, size: 'max' }),
    fc.array(step, { maxLength: 25, size: 'max' }),
    async (ends, steps) => {
      const pair = createPair([...ends]);
      for (const each of steps) await pair.take(each);
      await pair.recover();
      const { arrivals } = pair.world;
      for (const { payment, events } of await eventsByPayment(pair.world)) {
        const taken = arrivals.filter((arrival) => arrival.payment === payment);
        expect(firstArrivals(taken)).toEqual(events);
        expectNoneBeforeItsPredecessor(taken, events);
      }
      expect(pair.most()).toBeLessThanOrEqual(concurrency);
    },
  );
  // Clocks of its own for each run: those of the last one stand still, and with them its workers, of which crashed ones do not stop.
  await fc.assert(
    property.beforeEach(fakeClocks).afterEach(() => void vi.useRealTimers()),
    { numRuns: 100 },
  );
});

const firstArrivals = (arrivals: Arrival[]) => [...new Set(arrivals.map(({ event_id }) => event_id))];

/** An event is sent for the first time only after a try of the one before it was taken. */
function expectNoneBeforeItsPredecessor(arrivals: Arrival[], events: string[]): void {
  for (const [index, id] of events.entries()) {
    if (index === 0) continue;
    const first = arrivals.findIndex(({ event_id }) => event_id === id);
    const before = arrivals.slice(0, first).filter(({ event_id }) => event_id === events[index - 1]);
    expect(before.some(({ result }) => result === 'taken')).toBe(true);
  }
}

/** The ids of the events of each payment in the order in which they were recorded. */
async function eventsByPayment({ store, deliveries }: ReturnType<typeof createWorld>) {
  const page = await store.readEvents({ after: undefined, limit: 10_000 });
  expect(page?.events).toHaveLength((await deliveries()).length);
  const byPayment = Map.groupBy(page?.events ?? [], ({ payment_id }) => Number(payment_id.slice(4)));
  return [...byPayment].map(([payment, events]) => ({
    payment,
    events: events.map(({ event_id }) => event_id),
  }));
}
