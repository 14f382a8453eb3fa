import { vi } from 'vitest';
import type { Payment } from '../../src/domain/payment.ts';
import type { ClaimedWebhook, WebhookDelivery } from '../../src/store/events.ts';
import type { Endpoint, Try } from '../../src/webhooks/endpoint.ts';
import { startWebhooks, type Webhooks, type WebhooksOptions } from '../../src/webhooks/worker.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber } from '../store/store-contract.ts';

export const start = Date.parse('2026-03-01T12:00:00.000Z');
export const timeoutMs = 15_000;

/** setImmediate stays real, because the store commits by it. fakeNodeBuiltins, because the worker waits by node:timers/promises. */
export function fakeClocks(): void {
  vi.useFakeTimers({
    now: start,
    fakeNodeBuiltins: true,
    toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  });
}

/** One try as it reached the endpoint. */
export interface Arrival {
  event_id: string;
  payment: number;
  /** The notification status that its type names. */
  status: string;
  /** In ms since the start. */
  at: number;
  /** The worker's number. */
  by: number;
  result: Try['result'] | undefined;
}

interface Line {
  level: string;
  fields: Record<string, unknown>;
  text: string;
}

const numberOf = (paymentId: string) => Number(paymentId.slice(4));

/** The store of tests with payments, an endpoint in memory, and workers between them. */
export function createWorld() {
  const store = createMemoryStore({ leaseMs: 1000, events: 'webhooks' });
  const arrivals: Arrival[] = [];
  const lines: Line[] = [];
  const payments = new Map<number, Payment>();
  const workers: Webhooks[] = [];
  const log = Object.fromEntries(
    ['info', 'warn', 'error'].map((level) => [
      level,
      (fields: Record<string, unknown>, text: string) => void lines.push({ level, fields, text }),
    ]),
  ) as unknown as WebhooksOptions['log'];
  const world = {
    ...{ store, arrivals, lines },
    /** The answer of the endpoint to each try. */
    answer: async (_arrival: Arrival): Promise<Try> => ({ result: 'taken' }),
    startWorker,
    record,
    pass,
    stopAll,
    deliveries,
    delivery: async (payment: number) =>
      (await deliveries()).filter(({ payment_id }) => numberOf(payment_id) === payment),
  };

  function createEndpointOf(by: number): Endpoint {
    const closed = Promise.withResolvers<Try>();
    return {
      host: 'shop.example',
      async post({ event_id, payment_id, type }: ClaimedWebhook) {
        const arrival: Arrival = {
          ...{ event_id, payment: numberOf(payment_id), status: type.replace(/.*\./, '') },
          ...{ at: Date.now() - start, by, result: undefined },
        };
        arrivals.push(arrival);
        const ended = await Promise.race([world.answer(arrival), closed.promise]);
        arrival.result = ended.result;
        return ended;
      },
      close: async () => closed.resolve({ result: 'failed', reason: 'connection_lost' }),
    };
  }

  function startWorker(options: Partial<WebhooksOptions> = {}): Webhooks {
    const endpoint = createEndpointOf(workers.length);
    const worker = startWebhooks({ store, endpoint, concurrency: 32, timeoutMs, log, ...options });
    workers.push(worker);
    return worker;
  }

  /** Has the notification status of a payment change, each time with an event. */
  async function record(number: number, ...statuses: Payment['notification_status'][]): Promise<void> {
    for (const notification_status of statuses) {
      const before = payments.get(number) ?? paymentNumber(number);
      if (!payments.has(number)) await store.insert(before);
      const after = { ...before, notification_status };
      await store.update(after, undefined, before);
      payments.set(number, after);
    }
  }

  /** Advances the clocks in small steps, and lets the store finish its work in each. */
  async function pass(ms: number, stepMs = 20): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await vi.advanceTimersByTimeAsync(Math.min(stepMs, ms - passed));
      for (let turn = 0; turn < 8; turn += 1) await new Promise(setImmediate);
    }
  }

  async function stopAll(): Promise<void> {
    const stopped = Promise.all(workers.splice(0).map((worker) => worker.stop()));
    await pass(4000, 100);
    await stopped;
  }

  /** The oldest first. */
  async function deliveries(): Promise<WebhookDelivery[]> {
    const page = await store.listWebhooks({ limit: 10_000, starting_after: undefined, status: undefined });
    return (page?.deliveries ?? []).toReversed();
  }

  return world;
}

/** Has deliveries become due that wait for this long: the wall clock alone is set ahead. */
export const skip = (ms: number) => vi.setSystemTime(Date.now() + ms);
