import { Counter, Histogram, type Registry } from 'prom-client';
import { outcomes, providers } from 'service-kit/contract/notification.ts';
import { durationBuckets } from 'service-kit/telemetry/metrics.ts';
import type { NotifierObserver } from '../delivery/provider-breaker.ts';
import { circuitStates } from '../providers/circuit-report.ts';

/**
 * Counts the calls to the providers, and the transitions of their circuits.
 *
 * @param deadlineMs of one call
 */
export function countAttempts(registry: Registry, deadlineMs: number): NotifierObserver {
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
    buckets: durationBuckets(deadlineMs),
    registers,
  });
  const transitions = new Counter({
    name: 'paysms_circuit_transitions_total',
    help: "Transitions of a provider's circuit into a state, in this process",
    labelNames: ['provider', 'state'],
    registers,
  });
  // Exported as 0 before the first event, because `rate()` does not see the step from no sample to 1.
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
