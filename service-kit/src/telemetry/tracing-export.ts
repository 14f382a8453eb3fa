import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** How long what is left of the spans may hold up a stop, in ms. */
const flushMs = 2000;

/**
 * Sends the spans to an OpenTelemetry collector, in batches. One that can not be reached costs the spans, and nothing
 * else. To be imported only where there is one: the SDK takes memory, and time at the start.
 *
 * @returns what sends the rest of them
 */
export function exportSpans(endpoint: string, service: string): () => Promise<void> {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    timeoutMillis: flushMs,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: flushMs })],
  });
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown().catch(() => {});
}
