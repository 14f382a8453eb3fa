import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { outcomes } from 'service-kit/contract/notification.ts';
import { durationBuckets } from 'service-kit/telemetry/metrics.ts';
import { type Notifier, providers } from './delivery/notifier.ts';
import type { NotifierObserver } from './delivery/provider-breaker.ts';
import { isPossibleDuplicate, notificationStatusSchema, type PaymentObserver } from './domain/payment.ts';
import { type CircuitState, circuitStates } from './providers/circuit-report.ts';
import type { Store } from './store/store.ts';

/**
 * What counts is counted where it happens; what merely is, is read when somebody looks. Counters begin at 0 and not with
 * their first event: a rate can not see the step from nothing to 1.
 */

/** Counts the calls to the providers, and the changes of their circuits. */
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
    help: 'How long the calls to a provider took, by outcome',
    labelNames: ['provider', 'outcome'],
    buckets: durationBuckets,
    registers,
  });
  const transitions = new Counter({
    name: 'paysms_circuit_transitions_total',
    help: "How often a provider's circuit came into a state, in this process",
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

/** Counts the payments as they come into a notification status, whoever brings that about. */
export function countPayments(registry: Registry): PaymentObserver {
  const payments = new Counter({
    name: 'paysms_payments_total',
    help: 'Payments that came into a notification status; each begins as pending, and a retry by hand makes it pending again',
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

/** The circuits as they are when somebody looks. */
export function showCircuits(registry: Registry, report: Notifier['report']): void {
  new Gauge({
    name: 'paysms_circuit_state',
    help: "1 for the state that a provider's circuit is in, in this process; 0 for the others",
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

/**
 * The store as it is when somebody looks, which is the same for all processes that share it. What a store that does not
 * answer would say is left out, not shown as 0.
 */
export function showStore(registry: Registry, store: Pick<Store, 'check' | 'backlog'>): void {
  const registers = [registry];
  // Both gauges of one scrape ask at the same moment, and share the answer.
  let asked: ReturnType<Store['backlog']> | undefined;
  const backlog = async () => {
    try {
      asked ??= store.backlog();
      return await asked;
    } catch {
      return undefined;
    } finally {
      asked = undefined;
    }
  };
  new Gauge({
    name: 'paysms_store_up',
    help: '1 if the store takes a durable write, else 0: then payments are refused',
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
    help: 'Payments in the store whose notification is pending, those that are handled at this moment among them',
    registers,
    async collect() {
      const current = await backlog();
      if (current) this.set(current.size);
      else this.remove();
    },
  });
  new Gauge({
    name: 'paysms_notification_backlog_oldest_age_seconds',
    help: 'How long ago the oldest payment of the backlog was made; 0 if there is none',
    registers,
    async collect() {
      const current = await backlog();
      if (current) this.set(current.oldest_at ? (Date.now() - Date.parse(current.oldest_at)) / 1000 : 0);
      else this.remove();
    },
  });
}
