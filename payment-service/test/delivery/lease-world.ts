import type { FastifyBaseLogger } from 'fastify';
import type { NotifyRequest, Outcome, Provider, ReceiptStatus } from 'service-kit/contract/notification.ts';
import { Problem } from 'service-kit/http/problem.ts';
import { vi } from 'vitest';
import { createRecordReceipt } from '../../src/delivery/apply-receipt.ts';
import { createNotificationCancel } from '../../src/delivery/cancel-notification.ts';
import { watchClock } from '../../src/delivery/clock-watch.ts';
import { createDelivery } from '../../src/delivery/delivery.ts';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { createNotificationResend } from '../../src/delivery/resend-notification.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import type { RetryPolicy } from '../../src/domain/retry-policy.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { LeaseLost, type Store } from '../../src/store/store.ts';
import { upstreamHealth } from '../fixture.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { type LeaseWatch, watchLeases } from './lease-watch.ts';

export const leaseMs = 10_000;
const policy: RetryPolicy = {
  baseMs: 5000,
  maxMs: 60_000,
  ttlMs: 86_400_000,
  unknownOutcome: 'resend',
  patienceMs: leaseMs,
  undelivered: 'resend',
  receiptTimeoutMs: 600_000,
};
/** The circuits stay closed, since the model is about leases. */
const parameters = { ...circuitBreakerDefaults, volumeThreshold: 1_000_000, consecutiveFailures: 1_000_000 };

/** A process that can crash at any await: after `end`, code that awaits `goOn` never continues. */
function createLife() {
  let hasEnded = false;
  return {
    end: () => {
      hasEnded = true;
    },
    goOn: async () => {
      if (hasEnded) await new Promise(() => {});
    },
  };
}
type Life = ReturnType<typeof createLife>;

/** Both providers. A call lasts until the test ends it. */
function createProviders(store: Store, watch: LeaseWatch) {
  const calls: { end(outcome: Outcome, isSent: boolean): void }[] = [];
  /** The SMS that the providers have accepted, each with its key. */
  const messages: { provider: Provider; key: string; message_id: string }[] = [];
  const arrived = new Set<string>();
  /** The keys of calls that were cancelled before they arrived. */
  const withdrawn = new Set<string>();
  const clientOf = (provider: Provider, life: Life) => ({
    async notify(_request: NotifyRequest, key: string): Promise<Outcome> {
      if (withdrawn.has(key)) return { outcome: 'not_sent', reason: 'withdrawn' };
      arrived.add(key);
      watch.calling(key, await store.find(key.slice(0, key.lastIndexOf('-'))));
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const end = (outcome: Outcome, isSent: boolean) => {
        const message_id = `${provider} ${key}`;
        if (isSent) {
          watch.sent.add(key);
          messages.push({ provider, key, message_id });
        }
        resolve(outcome.outcome === 'accepted' ? { ...outcome, message_id } : outcome);
      };
      calls.push({ end });
      const outcome = await promise;
      await life.goOn();
      return outcome;
    },
    async ask(key: string): Promise<Outcome | undefined> {
      if (!arrived.has(key)) withdrawn.add(key);
      return watch.sent.has(key) ? { outcome: 'accepted', message_id: `${provider} ${key}` } : undefined;
    },
    check: async () => upstreamHealth(true),
    readState: async () => undefined,
    findMessage: async () => 'unavailable' as const,
    close: async () => {},
  });
  return { calls, messages, clientOf };
}

/** The store with a pause before each operation and another before its result, so that leases expire in between. */
function slowDown(store: Store, watch: LeaseWatch, life: Life, pause: () => Promise<void>) {
  const slow =
    <Args extends unknown[], Result>(operation: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      await pause();
      await life.goOn();
      const result = await operation(...args);
      await pause();
      await life.goOn();
      return result;
    };
  return {
    insert: slow(async (payment: Payment) => {
      watch.inserted(payment);
      return store.insert(payment);
    }),
    update: slow(async (payment: Payment) => {
      try {
        await store.update(payment);
      } catch (error) {
        watch.refused(payment);
        throw error;
      }
      watch.written(payment);
    }),
    amend: slow(async (payment: Payment, before: Payment) => {
      await store.amend(payment, before);
      watch.amended(payment);
    }),
    find: slow((id: string) => store.find(id)),
    claimDue: slow(async (limit: number) => {
      const claimed = await store.claimDue(limit);
      for (const payment of claimed) watch.claimed(payment);
      return claimed;
    }),
    claim: slow(async (payment: Payment) => {
      const claimed = await store.claim(payment);
      watch.claimedByHand(claimed);
      return claimed;
    }),
    seize: slow(async (payment: Payment) => {
      const seized = await store.seize(payment);
      watch.seized(seized);
      return seized;
    }),
    findPhone: slow(store.findPhone),
    findSuppression: slow(store.findSuppression),
  };
}

/** Two workers at a time on one store. A worker that crashes is replaced by a new one. */
export function createWorld(delays: number[]) {
  const shared = createMemoryStore({ leaseMs });
  const watch = watchLeases(leaseMs);
  const { calls, messages, clientOf } = createProviders(shared, watch);
  const error = (line: unknown) => watch.rule(false, `nothing fails: ${JSON.stringify(line)}`);
  const log = { info() {}, warn() {}, error } as unknown as FastifyBaseLogger;
  let pauses = 0;
  const pause = async () => {
    const ms = delays[pauses++ % delays.length];
    if (ms) await new Promise((resolve) => setTimeout(resolve, ms));
  };

  function createWorker() {
    const life = createLife();
    const store = slowDown(shared, watch, life, pause);
    const clients = { Aldeamo: clientOf('Aldeamo', life), Twilio: clientOf('Twilio', life) };
    const notifier = createNotifier({ clients, parameters, policy, log });
    const delivery = createDelivery({
      store: store as Partial<Store> as Store,
      notifier,
      policy,
      clock: watchClock({ log }),
    });
    const { undelivered } = policy;
    const recordReceipt = createRecordReceipt({ store, undelivered, onChange: () => {} });
    const crash = () => {
      life.end();
      void notifier.close();
    };
    const resend = createNotificationResend({ store, delivery });
    const cancel = createNotificationCancel({ store, delivery });
    return { crash, store, delivery, recordReceipt, resend, cancel };
  }
  const workers = [createWorker(), createWorker()];
  const workerAt = (index: number) => workers[index] as ReturnType<typeof createWorker>;

  return {
    watch,
    /** Calls to providers that have not ended. */
    callsUnderWay: () => calls.length,
    findAll: () => Promise.all(watch.payments().map((id) => shared.find(id))),
    pay(worker: number): void {
      const { store, delivery } = workerAt(worker);
      const request = { amount_minor: 100, currency: 'COP', customer_id: '1', phone: null, message: null };
      const begun = delivery.begin(
        newPayment(request, policy.ttlMs, { traceparent: null, request_id: null }),
      );
      void store.insert(begun).then(() => delivery.round(begun, log));
    },
    /** Claims and resumes what is due, as the outbox does. */
    claim(worker: number): void {
      const { store, delivery } = workerAt(worker);
      const resume = (payment: Payment) =>
        delivery.resume(payment, log, new AbortController().signal).catch((error: unknown) => {
          watch.rule(error instanceof LeaseLost, `a turn fails only by a lost lease, not by ${error}`);
        });
      void store.claimDue(10).then((claimed) => claimed.map(resume));
    },
    /** Reports what became of one of the SMS that were accepted; refused while the notification is being handled. */
    report(worker: number, which: number, status: ReceiptStatus): void {
      const { provider, key, message_id } = messages[which % messages.length] ?? {};
      if (!provider || !key || !message_id) return;
      const receipt = { provider, message_id, idempotency_key: key, status, reason: null };
      void workerAt(worker)
        .recordReceipt(receipt, log)
        .catch((error: unknown) => {
          const isInUse = error instanceof Problem && error.status === 409;
          watch.rule(
            isInUse,
            `a receipt is refused only while the notification is being handled, not by ${error}`,
          );
        });
    },
    /** What an operator does about one of the payments; refused if its state does not allow it. */
    act(worker: number, which: number, action: 'resend' | 'cancel'): void {
      const ids = watch.payments();
      const id = ids[which % ids.length];
      if (id === undefined) return;
      const { resend, cancel } = workerAt(worker);
      const doing = { reason: 'the customer called', by: null };
      const acting =
        action === 'resend'
          ? resend(id, { ...doing, idempotencyKey: undefined }, log)
          : cancel(id, doing, log);
      void acting.catch((error: unknown) => {
        const isRefused = error instanceof Problem && [404, 409].includes(error.status);
        watch.rule(isRefused, `an action is refused by a 404 or a 409, not by ${error}`);
      });
    },
    crash(worker: number): void {
      workerAt(worker).crash();
      workers[worker] = createWorker();
    },
    endCall(which: number, outcome: Outcome, isSent: boolean): void {
      const [call] = calls.splice(which % calls.length, 1);
      call?.end(outcome, isSent);
    },
  };
}
export type World = ReturnType<typeof createWorld>;

export type Step =
  | { type: 'pay' | 'claim' | 'crash'; worker: number }
  | { type: 'act'; worker: number; which: number; action: 'resend' | 'cancel' }
  | { type: 'pass'; ms: number }
  | { type: 'end'; which: number; end: { outcome: Outcome; isSent: boolean } }
  | { type: 'report'; worker: number; which: number; status: ReceiptStatus };

/** Takes the step, and lets the time pass that it lasts. */
export async function take(world: World, step: Step): Promise<void> {
  if (step.type === 'pay') world.pay(step.worker);
  else if (step.type === 'claim') world.claim(step.worker);
  else if (step.type === 'crash') world.crash(step.worker);
  else if (step.type === 'end') world.endCall(step.which, step.end.outcome, step.end.isSent);
  else if (step.type === 'act') world.act(step.worker, step.which, step.action);
  else if (step.type === 'report') world.report(step.worker, step.which, step.status);
  await vi.advanceTimersByTimeAsync(step.type === 'pass' ? step.ms : 0);
}
