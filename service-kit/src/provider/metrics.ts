import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { accountStates } from '../contract/account.ts';
import { outcomes, type Provider } from '../contract/notification.ts';
import { durationBuckets } from '../telemetry/metrics.ts';
import { type Account, type Fault, faults } from './account.ts';
import type { Gateway } from './gateway.ts';

/**
 * Counts the sends of the gateway. A request whose outcome comes from the idempotency store is no send. A send that ends after
 * its request was answered is counted with its final outcome. `deadlineMs` is that of an answer.
 */
export function measureSends(
  provider: Provider,
  send: Gateway['send'],
  { registry, deadlineMs }: { registry: Registry; deadlineMs: number },
): Gateway['send'] {
  const labelNames = ['provider', 'outcome'] as const;
  const total = new Counter({
    name: 'paysms_gateway_sends_total',
    help: 'SMS that the gateway tried to send, by outcome',
    labelNames,
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'paysms_gateway_send_duration_seconds',
    help: 'Duration of one send of the gateway, whatever its outcome',
    labelNames,
    buckets: durationBuckets(deadlineMs),
    registers: [registry],
  });
  // Initialized, because a rate does not see a series that begins with 1.
  for (const outcome of outcomes) total.inc({ provider, outcome }, 0);

  return async (sms) => {
    const started = performance.now();
    const result = await send(sms);
    const labels = { provider, outcome: result.outcome };
    total.inc(labels);
    durations.observe(labels, (performance.now() - started) / 1000);
    return result;
  };
}

/** Counts the answers that name a fault. */
export function countFaults(provider: Provider, registry: Registry): (fault: Fault) => void {
  const total = new Counter({
    name: 'paysms_account_faults_total',
    help: 'Answers and receipts of a provider that name a fault which a person must correct, by what is at fault',
    labelNames: ['provider', 'fault'],
    registers: [registry],
  });
  for (const fault of faults) total.inc({ provider, fault }, 0);
  return (fault) => total.inc({ provider, fault });
}

/** Reads the state of the account at each scrape. A sandbox has none, and so no samples. */
export function exportAccount(provider: Provider, account: Account | undefined, registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: 'paysms_account_state',
    help: '1 for the state that the account at the provider is in, as this process knows it; 0 for the others',
    labelNames: ['provider', 'state'],
    registers,
    collect() {
      const current = account?.report().state;
      if (current)
        for (const state of accountStates) this.set({ provider, state }, state === current ? 1 : 0);
    },
  });
  new Gauge({
    name: 'paysms_account_balance',
    help: 'The SMS that are left in the account, where the provider reports them',
    labelNames: ['provider'],
    registers,
    collect() {
      const balance = account?.report().balance ?? null;
      this.reset(); // a balance that is no longer reported would stay
      if (balance !== null) this.set({ provider }, balance);
    },
  });
}

/** An SMS without receipts is never known to be delivered, and is not counted as if it were. A sandbox may gain or lose them. */
export function exportReceipts(provider: Provider, gateway: Gateway, registry: Registry): void {
  new Gauge({
    name: 'paysms_receipts_requested',
    help: '1 if the provider reports what becomes of each SMS, or can be asked; else 0',
    labelNames: ['provider'],
    registers: [registry],
    collect() {
      this.set({ provider }, gateway.receipts.length > 0 ? 1 : 0);
    },
  });
}
