import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { type CollectedSpan, startCollector } from './doubles/otlp-collector.ts';
import { eventually } from './eventually.ts';
import { call } from './http.ts';
import { serviceNames, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** All three services log and trace one payment under one trace id. */

const newTrace = () => randomBytes(16).toString('hex');
const phone = '+573001234567';
const message = 'Un texto que nadie debe ver';

function pay(trio: Trio, trace_id: string, request_id: string) {
  const headers = { traceparent: `00-${trace_id}-b7ad6b7169203331-01`, 'x-request-id': request_id };
  const payment = { amount: 100, customer_id: '123', phone, message };
  return call<PaymentView>('POST', `${trio.url('payment-service')}/payments`, payment, headers);
}

/** Returns the lines of all three services with this trace id. */
async function grep(trio: Trio, trace_id: string) {
  const logs = await Promise.all(serviceNames.map((service) => trio.logs(service)));
  return logs.flat().filter((line) => line.trace_id === trace_id);
}
const setFailureRate = (trio: Trio, service: 'aldeamo-service' | 'twilio-service', rate: number) =>
  call('POST', `${trio.url(service)}/toggle-failure?failure_rate=${rate}`);

describe('without a collector', () => {
  let trio: Trio;
  beforeAll(async () => {
    trio = await startProcesses({ NOTIFICATION_RETRY_BASE_MS: '100', NOTIFICATION_RETRY_MAX_MS: '100' });
  });
  afterAll(() => trio[Symbol.asyncDispose]());

  test('given a failover, all three services log its trace id', async () => {
    await setFailureRate(trio, 'aldeamo-service', 1);
    const trace_id = newTrace();
    const { headers, body } = await pay(trio, trace_id, 'order-17');
    expect(headers.get('x-request-id')).toBe('order-17');

    const lines = await eventually(
      () => grep(trio, trace_id),
      ({ length }) => length === 3,
      5000,
    );
    expect(lines.every(({ request_id }) => request_id === 'order-17')).toBe(true);
    expect(lines.map(({ name, msg }) => `${name}: ${msg}`).toSorted()).toEqual([
      'aldeamo-service: notification answered',
      'payment-service: notification handled',
      'twilio-service: notification answered',
    ]);
    expect(lines.find(({ name }) => name === 'payment-service')?.payment_id).toBe(body.payment_id);
  });

  test("given a crash, the outbox sends under the payment's trace id", async () => {
    await setFailureRate(trio, 'aldeamo-service', 1);
    await setFailureRate(trio, 'twilio-service', 1);
    const trace_id = newTrace();
    const { body } = await pay(trio, trace_id, 'order-18');
    expect(body.notification_status).toBe('pending');
    await trio.kill('payment-service');
    await setFailureRate(trio, 'twilio-service', 0);
    await setFailureRate(trio, 'aldeamo-service', 0);
    await trio.start('payment-service');

    const isSent = (line: Record<string, unknown>) => line.notification_status === 'sent';
    const lines = await eventually(
      () => grep(trio, trace_id),
      (found) => found.some(isSent),
      20_000,
    );
    expect(lines.every(({ request_id }) => request_id === 'order-18')).toBe(true);
    expect(lines.find(isSent)?.payment_id).toBe(body.payment_id);
  });
});

test('given a collector, the services export one tree of spans, without text and phone', async () => {
  await using collector = await startCollector();
  const trio = await startProcesses({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const trace_id = newTrace();
  try {
    await setFailureRate(trio, 'aldeamo-service', 1);
    await pay(trio, trace_id, 'order-19');
    for (const service of serviceNames) {
      await trio.terminate(service); // the stop exports the remaining spans
      expect(await trio.exitCode(service)).toBe(0);
    }
  } finally {
    await trio[Symbol.asyncDispose]();
  }
  const spans = collector.spans.filter(({ traceId }) => traceId === trace_id);
  expect(pathsOf(spans)).toEqual([
    'payment-service POST /payments',
    'payment-service POST /payments > payment-service notify',
    'payment-service POST /payments > payment-service notify > payment-service attempt',
    'payment-service POST /payments > payment-service notify > payment-service attempt',
    'payment-service POST /payments > payment-service notify > payment-service attempt > payment-service POST',
    'payment-service POST /payments > payment-service notify > payment-service attempt > payment-service POST',
    'payment-service POST /payments > payment-service notify > payment-service attempt > payment-service POST > aldeamo-service POST /notify',
    'payment-service POST /payments > payment-service notify > payment-service attempt > payment-service POST > twilio-service POST /notify',
  ]);
  expect(collector.received()).not.toContain(message);
  expect(collector.received()).not.toContain(phone);
});

test('given a collector that is down, payment-service sends all SMS and exits with 0', async () => {
  await using trio = await startProcesses({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  for (let n = 0; n < 20; n += 1)
    expect((await pay(trio, newTrace(), `order-${n}`)).body.notification_status).toBe('sent');
  await trio.terminate('payment-service');
  expect(await trio.exitCode('payment-service')).toBe(0);
});

test('given no collector, the kit does not load the SDK', () => {
  const script = `
    import { registerHooks } from 'node:module';
    registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });
    await import('./service-kit/src/http/start.ts');
  `;
  const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  expect(loaded).toContain('service-kit/src/telemetry/correlation.ts');
  expect(loaded).not.toMatch(/sdk-trace|exporter-trace/);
});

/** Returns each span as the path of its ancestors, outermost first. */
function pathsOf(spans: CollectedSpan[]): string[] {
  const pathOf = ({ service, name, parentSpanId }: CollectedSpan): string => {
    const parent = spans.find(({ spanId }) => spanId === parentSpanId);
    return parent ? `${pathOf(parent)} > ${service} ${name}` : `${service} ${name}`;
  };
  return spans.map(pathOf).toSorted();
}
