import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { withDeadline } from 'service-kit/deadline.ts';
import type { ClaimedWebhook, WebhookSettlement } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import type { Endpoint } from './endpoint.ts';
import { createEndpointState, type EndpointReport } from './endpoint-state.ts';
import { settlementOf } from './schedule.ts';

/** Delivers the events to the webhook endpoint: each at least once, and those of one payment in their order. */
export interface Webhooks {
  /** There may be an event: it is claimed soon. Without this call it waits for the next look, half a second at most. */
  wake(): void;
  /** Sends again after the endpoint answered 410. One that is down, or has asked for a pause, is asked within five seconds. */
  resume(): void;
  report(): WebhooksReport;
  /** Ends the tries under way, after up to three seconds, and records what became of them. Closes the endpoint. */
  stop(): Promise<void>;
}

export interface WebhooksReport extends EndpointReport {
  /** Tries that this process makes right now. */
  under_way: number;
}

/** Called with each try that counts. It must not throw. */
export type WebhookObserver = (ended: {
  result: 'delivered' | 'failed' | 'dead';
  durationMs: number;
}) => void;

export interface WebhooksOptions {
  store: Pick<Store, 'claimWebhooks' | 'settleWebhooks'>;
  endpoint: Endpoint;
  /** The limit of events that are claimed at the same time, and with it of memory and of connections. */
  concurrency: number;
  /** The deadline of one try, in ms. */
  timeoutMs: number;
  observe?: WebhookObserver;
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;
}

/** The least time between the beginnings of two turns: what ends within it is recorded in one commit. */
const tickMs = 20;
/** The pause after a turn, unless something happens. */
const idleMs = 500;
/** The pause while the store is unavailable. */
const afterFailureMs = 5000;
/** How much longer than a try its lease lasts. */
const marginMs = 15_000;
/** A try begins by then, so that its deadline, which a pause of the process postpones by up to a second, is within the lease. */
const latestBeginMs = 10_000;
/** How long tries may go on after the stop. */
const stopMs = 3000;

export function startWebhooks(options: WebhooksOptions): Webhooks {
  const { store, endpoint, concurrency, timeoutMs, observe, log } = options;
  const leaseMs = timeoutMs + marginMs;
  const state = createEndpointState(endpoint.host, log);
  const underWay = new Set<Promise<void>>();
  /** Ends that are not recorded yet. Each takes a place, so that they stay few however long the store is unavailable. */
  const ended: WebhookSettlement[] = [];
  const stopping = new AbortController();
  let isAborted = false;
  let isFailing = false;
  /** Ends the pause before the next turn. */
  let alarm = new AbortController();
  const placesLeft = () => state.places(concurrency, underWay.size + ended.length);
  const pause = (ms: number, { signal }: AbortController) =>
    delay(Math.max(0, ms), undefined, { signal }).catch(() => {});

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      alarm = new AbortController(); // before the turn, so that what happens during it has another one follow
      const begun = performance.now();
      if (await takeTurn()) {
        await pause(begun + tickMs - performance.now(), stopping);
        await pause(idleMs, alarm);
      } else await pause(afterFailureMs, stopping);
    }
  }

  /** Records the tries that have ended, which lets the next events of their payments follow, and claims. False if the store failed. */
  async function takeTurn(): Promise<boolean> {
    try {
      await record();
      const room = placesLeft();
      if (room > 0) await claim(room);
      return true;
    } catch (err) {
      logFailure(err);
      return false;
    }
  }

  /** What is not recorded is tried again when its lease has expired. */
  async function record(): Promise<void> {
    const batch = [...ended];
    if (batch.length === 0) return;
    await store.settleWebhooks(batch);
    ended.splice(0, batch.length);
    isFailing = false;
  }

  async function claim(room: number): Promise<void> {
    const askedAt = performance.now();
    const claimed = await store.claimWebhooks(room, leaseMs);
    isFailing = false;
    // This process stood still: another one may have them by now, so they are left to their lease.
    if (performance.now() - askedAt > latestBeginMs) return;
    // Fewer than there was room for, if meanwhile the circuit has opened, or the stop has begun.
    const admitted = stopping.signal.aborted ? 0 : placesLeft();
    for (const event of claimed.slice(0, admitted)) begin(event);
    for (const event of claimed.slice(admitted)) end({ ...idsOf(event), status: 'released' });
  }

  function begin(event: ClaimedWebhook): void {
    const isProbe = state.isProbing();
    const begun = performance.now();
    const turn = endpoint.post(event).then((result) => {
      underWay.delete(turn);
      if (isAborted && result.result === 'failed') return end({ ...idsOf(event), status: 'released' });
      state.learn(result, isProbe);
      const settlement = settlementOf(event, result);
      report(event, settlement, performance.now() - begun);
      end(settlement);
    });
    underWay.add(turn);
  }

  function end(settlement: WebhookSettlement): void {
    ended.push(settlement);
    alarm.abort();
  }

  function report({ payment_id }: ClaimedWebhook, settlement: WebhookSettlement, durationMs: number): void {
    const { event_id, tries, status } = settlement;
    if (status === 'released') return;
    observe?.({ result: status === 'pending' ? 'failed' : status, durationMs });
    if (status === 'dead')
      log.warn(
        { event_id, payment_id, tries: tries + 1, reason: settlement.reason },
        'a webhook delivery is dead: all its tries have failed',
      );
  }

  /** Once an outage. */
  function logFailure(err: unknown): void {
    if (!isFailing) log.error({ err }, 'webhook deliveries cannot be claimed or recorded');
    isFailing = true;
  }

  const running = run();
  return {
    wake: () => alarm.abort(),
    resume() {
      state.resume();
      alarm.abort();
    },
    report: () => ({ ...state.report(), under_way: underWay.size }),
    async stop() {
      stopping.abort();
      alarm.abort();
      // Together, because the store may be silent for as long as its own deadline. No try begins any more.
      await Promise.all([running, withDeadline<unknown>(stopMs, Promise.all(underWay), () => {})]);
      isAborted = true;
      await endpoint.close();
      await Promise.all(underWay);
      await record().catch(logFailure);
    },
  };
}

const idsOf = ({ event_id, tries }: ClaimedWebhook) => ({ event_id, tries });
