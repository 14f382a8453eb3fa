import { Counter, Histogram, type Registry } from 'prom-client';
import { outcomes, type Provider } from '../contract/notification.ts';
import { durationBuckets } from '../telemetry/metrics.ts';
import type { Gateway } from './gateway.ts';

/**
 * Counts the sends of the gateway. A request whose outcome comes from the idempotency store is no send. A send that ends after
 * its request was answered is counted with its final outcome.
 */
export function measureSends(provider: Provider, send: Gateway['send'], registry: Registry): Gateway['send'] {
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
    buckets: durationBuckets,
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
