import { Gauge, type Registry } from 'prom-client';
import { providers } from 'service-kit/contract/notification.ts';
import type { Notifier } from '../delivery/notifier.ts';
import { type CircuitState, circuitStates } from '../providers/circuit-report.ts';
import { areMixed } from '../providers/provider-modes.ts';

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
