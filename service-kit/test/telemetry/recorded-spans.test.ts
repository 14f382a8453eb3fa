import { SpanKind, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import {
  contextOf,
  inSpan,
  resumeCorrelation,
  runCorrelated,
  startSpan,
} from '../../src/telemetry/correlation.ts';

const exporter = new InMemorySpanExporter();
beforeAll(() => {
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors }));
});
beforeEach(() => exporter.reset());
afterAll(() => {
  trace.disable();
  vi.resetModules(); // the module of the spans goes on with the provider that it has used once
});

const trace_id = '0af7651916cd43dd8448eb211c80319c';
const span_id = 'b7ad6b7169203331';
const kept = (flags: string) => ({ traceparent: `00-${trace_id}-${span_id}-${flags}`, request_id: null });
const work = () => inSpan('outer', {}, () => inSpan('inner', {}, async () => {}));
const recorded = () =>
  exporter
    .getFinishedSpans()
    .map((span) => [span.name, span.spanContext().traceId, span.parentSpanContext?.spanId]);

test('work that is resumed after a crash is recorded, each span as a child of the outer one', async () => {
  await resumeCorrelation(kept('01'), work);
  const outer = exporter.getFinishedSpans().find(({ name }) => name === 'outer');
  expect(recorded()).toEqual([
    ['inner', trace_id, outer?.spanContext().spanId],
    ['outer', trace_id, span_id],
  ]);
});

test('a trace that is not sampled is not recorded, at any depth', async () => {
  await resumeCorrelation(kept('00'), work);
  const { context } = startSpan('request', { kind: SpanKind.SERVER }, contextOf(kept('00')));
  await runCorrelated({ context, request_id: null }, work);
  expect(recorded()).toEqual([]);
});
