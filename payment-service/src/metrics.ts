import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { outcomes } from 'service-kit/contract/notification.ts';
import { durationBuckets } from 'service-kit/telemetry/metrics.ts';
import type { ClockWatch } from './delivery/clock-watch.ts';
import { type Notifier, providers } from './delivery/notifier.ts';
import type { NotifierObserver } from './delivery/provider-breaker.ts';
import { bounds } from './domain/bounds.ts';
import { isPossibleDuplicate, notificationStatusSchema, type PaymentObserver } from './domain/payment.ts';
import { type CircuitState, circuitStates } from './providers/circuit-report.ts';
import { areMixed } from './providers/provider-modes.ts';
import type { Store, UnreadableObserver } from './store/store.ts';

/**
 * Counters are incremented where the event happens; gauges are read at each scrape. Counters are exported as 0 before their
 * first event, because `rate()` does not see the step from no sample to 1.
 */

/** Counts the calls to the providers, and the transitions of their circuits. */
export function countAttempts(registry: Registry): NotifierObserver {
  const registers = [registry];
  const attempts = new Counter({
    name: 'paysms_notification_attempts_total',
    help: 'Calls to a provider to send an SMS, by outcome',
    labelNames: ['provider', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'paysms_notification_attempt_duration_seconds',
    help: 'Duration of the calls to a provider, by outcome',
    labelNames: ['provider', 'outcome'],
    buckets: durationBuckets,
    registers,
  });
  const transitions = new Counter({
    name: 'paysms_circuit_transitions_total',
    help: "Transitions of a provider's circuit into a state, in this process",
    labelNames: ['provider', 'state'],
    registers,
  });
  for (const provider of providers) {
    for (const outcome of outcomes) attempts.inc({ provider, outcome }, 0);
    for (const state of circuitStates) transitions.inc({ provider, state }, 0);
  }
  return {
    attemptEnded(provider, { outcome }, durationMs) {
      attempts.inc({ provider, outcome });
      durations.observe({ provider, outcome }, durationMs / 1000);
    },
    circuitChanged: (provider, state) => transitions.inc({ provider, state }),
  };
}

/** Counts the payments that enter a notification status, by a request, the outbox or a receipt. */
export function countPayments(registry: Registry): PaymentObserver {
  const payments = new Counter({
    name: 'paysms_payments_total',
    help: 'Payments that entered a notification status; each starts as pending, and a manual retry makes it pending again',
    labelNames: ['notification_status'],
    registers: [registry],
  });
  const duplicates = new Counter({
    name: 'paysms_possible_duplicates_total',
    help: 'Payments whose SMS may have gone out twice',
    registers: [registry],
  });
  for (const notification_status of notificationStatusSchema.options)
    payments.inc({ notification_status }, 0);

  return (payment, before) => {
    const { notification_status } = payment;
    if (notification_status !== before?.notification_status) payments.inc({ notification_status });
    const was = before !== undefined && isPossibleDuplicate(before.attempts);
    if (!was && isPossibleDuplicate(payment.attempts)) duplicates.inc();
  };
}

/** Counts the reads, the outbox's included, that met a payment which cannot be read: one a lease for each that is due. */
export function countUnreadable(registry: Registry): UnreadableObserver {
  const unreadable = new Counter({
    name: 'paysms_unreadable_payments_total',
    help: 'Failures to read the record of a payment; the log has its payment_id',
    registers: [registry],
  });
  return () => unreadable.inc();
}

/** Reads the state of the circuits at each scrape. */
export function exportCircuits(registry: Registry, report: Notifier['report']): void {
  new Gauge({
    name: 'paysms_circuit_state',
    help: "1 for the current state of a provider's circuit in this process; 0 for the others",
    labelNames: ['provider', 'state'],
    registers: [registry],
    collect() {
      const current = report();
      for (const provider of providers) {
        for (const state of circuitStates) this.set({ provider, state }, isIn(current[provider], state));
      }
    },
  });
}

const isIn = (circuit: { state: CircuitState }, state: CircuitState) => (circuit.state === state ? 1 : 0);

/** Reads the modes of the providers at each scrape. */
export function exportModes(registry: Registry, report: Notifier['report']): void {
  new Gauge({
    name: 'paysms_mixed_modes',
    help: '1 if one provider is live and the other a sandbox, so that there is no failover; else 0',
    registers: [registry],
    collect() {
      const { Aldeamo, Twilio } = report();
      this.set(areMixed({ Aldeamo: Aldeamo.mode, Twilio: Twilio.mode }) ? 1 : 0);
    },
  });
}

/** Compares the clocks at each scrape. */
export function exportClock(registry: Registry, clock: Pick<ClockWatch, 'aheadMs'>): void {
  new Gauge({
    name: 'paysms_clock_ahead_seconds',
    help: 'How far the wall clock was set ahead in the last five minutes, by the monotonic clock; negative if it was set back',
    registers: [registry],
    collect() {
      this.set(clock.aheadMs() / 1000);
    },
  });
}

/**
 * Reads the store at each scrape. Its values are the same in all processes that share it. A gauge has no sample while the
 * database is down, because 0 would look like an empty backlog.
 */
export function exportStore(
  registry: Registry,
  store: Pick<Store, 'check' | 'backlog' | 'countWaiting'>,
): void {
  const registers = [registry];
  // Both gauges of a scrape are collected at the same time, and share one query.
  let query: ReturnType<Store['backlog']> | undefined;
  const backlog = async () => {
    try {
      query ??= store.backlog();
      return await query;
    } catch {
      return undefined;
    } finally {
      query = undefined;
    }
  };
  new Gauge({
    name: 'paysms_store_up',
    help: '1 if the store accepts a durable write; 0 if it does not, so that payments are refused',
    registers,
    async collect() {
      this.set(
        await store.check().then(
          () => 1,
          () => 0,
        ),
      );
    },
  });
  new Gauge({
    name: 'paysms_notification_backlog',
    help: 'Payments in the store whose notification is pending, claimed ones included',
    registers,
    async collect() {
      const current = await backlog();
      if (current) this.set(current.size);
      else this.remove();
    },
  });
  exportWaiting(registry, store);
  const oldestAgeMs = createAge();
  new Gauge({
    name: 'paysms_notification_backlog_oldest_age_seconds',
    help: 'Age of the oldest payment of the backlog; 0 if there is none',
    registers,
    async collect() {
      const current = await backlog();
      if (current) this.set(oldestAgeMs(current.oldest_at) / 1000);
      else this.remove();
    },
  });
}

/** Reads at each scrape what the notifications that wait for a bound wait for. No sample while the database is down, as above. */
function exportWaiting(registry: Registry, store: Pick<Store, 'countWaiting'>): void {
  new Gauge({
    name: 'paysms_notifications_waiting',
    help: 'Notifications in the store that wait for a bound on what is sent, by reason',
    labelNames: ['reason'],
    registers: [registry],
    async collect() {
      this.reset();
      const waiting = await store.countWaiting().catch(() => undefined);
      if (waiting) for (const reason of bounds) this.set({ reason }, waiting[reason] ?? 0);
    },
  });
}

/** The age of what was made at a wall time, in ms; no less than since it was first asked for, also by a clock that was set back. */
function createAge(): (at: string | null) => number {
  let of: string | null = null;
  let since = 0;
  return (at) => {
    if (at !== of) since = performance.now();
    of = at;
    return at === null ? 0 : Math.max(Date.now() - Date.parse(at), performance.now() - since);
  };
}
