import { Counter, Histogram, type Registry } from 'prom-client';
import { outcomes, type Provider } from '../contract/notification.ts';
import { durationBuckets } from '../telemetry/metrics.ts';
import type { Gateway } from './gateway.ts';

/**
 * Counts what the gateway sends. A request that is answered from memory, or joins another, is no send; a send that ends
 * after its request was answered is counted with the outcome that it had in the end.
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
    help: 'How long the gateway took to send, or not to send, one SMS',
    labelNames,
    buckets: durationBuckets,
    registers: [registry],
  });
  // From the start: a rate can not see the step from nothing to 1.
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
