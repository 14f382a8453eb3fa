import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** How long the last export may delay a stop, in ms. */
const flushMs = 2000;

/**
 * Sends the spans to an OpenTelemetry collector, in batches. If it cannot be reached, the spans are lost, and nothing else.
 * Imported only if there is one, because the SDK takes memory, and time at the start.
 *
 * @returns a function that sends the remaining spans
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
