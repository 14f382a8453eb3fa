import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';

/** The ids of all work for one request, in each service and however much later. */
interface Correlation {
  /** The trace and the current span. */
  context: Context;
  /** null for a payment of a release that did not store it. */
  request_id: string | null;
  /** The name of the key that the request came with. */
  client?: string;
  /** A cache of `currentIds`, which each attempt of a payment calls. */
  ids?: PropagatedIds;
}

/** A correlation as it is stored. */
export interface CorrelationIds {
  traceparent: string | null;
  request_id: string | null;
}

type PropagatedIds = CorrelationIds & { tracestate?: string };

const storage = new AsyncLocalStorage<Correlation>();
const propagator = new W3CTraceContextPropagator();
// Its spans are not recorded until tracing-export.ts is loaded.
const tracer = trace.getTracer('payments-with-sms');

export const currentCorrelation = () => storage.getStore();

/** The fields of each log line. */
export function correlationFields(): Record<string, string> {
  const correlation = storage.getStore();
  if (!correlation) return {};
  const { context, request_id, client } = correlation;
  const fields: Record<string, string> = {};
  const trace_id = trace.getSpanContext(context)?.traceId;
  if (trace_id) fields.trace_id = trace_id;
  if (request_id) fields.request_id = request_id;
  if (client) fields.client = client;
  return fields;
}

/** The headers of each call to another of our services. */
export function correlationHeaders(): Record<string, string> {
  const { traceparent, tracestate, request_id } = currentIds();
  const headers: Record<string, string> = {};
  if (traceparent) headers.traceparent = traceparent;
  if (tracestate) headers.tracestate = tracestate;
  if (request_id) headers['x-request-id'] = request_id;
  return headers;
}

/** Stored with work that is resumed later. */
export function currentIds(): PropagatedIds {
  const correlation = storage.getStore();
  if (!correlation) return { traceparent: null, request_id: null };
  correlation.ids ??= idsOf(correlation);
  return correlation.ids;
}

function idsOf({ context, request_id }: Correlation): PropagatedIds {
  const headers: Record<string, string> = {};
  propagator.inject(context, headers, defaultTextMapSetter);
  const { traceparent = null, tracestate } = headers;
  return tracestate ? { traceparent, tracestate, request_id } : { traceparent, request_id };
}

/** The parent span in the headers of a request, or in stored ids. */
export const contextOf = (headers: Record<string, unknown>): Context =>
  propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);

export const runCorrelated = <T>(correlation: Correlation, work: () => T): T =>
  storage.run(correlation, work);

/** Starts a span. Without a recorder and a parent it gets random ids, for the log. */
export function startSpan(
  name: string,
  options: SpanOptions,
  parent: Context,
): { span: Span; context: Context } {
  const started = tracer.startSpan(name, options, parent);
  const span = isSpanContextValid(started.spanContext()) ? started : unrecordedSpan();
  return { span, context: trace.setSpan(parent, span) };
}

/** The root of its trace, so its id may be taken from the trace's. Not from randomBytes, which reads entropy each time. */
function unrecordedSpan(): Span {
  const traceId = randomUUID().replaceAll('-', '');
  return trace.wrapSpanContext({ traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED });
}

/** Runs the work in a child of the current span. No child is created in a span of ours that is not recorded. */
export function inSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const correlation = storage.getStore() ?? { context: ROOT_CONTEXT, request_id: null };
  const parent = trace.getSpan(correlation.context);
  if (parent && !parent.isRecording() && !parent.spanContext().isRemote) return work(parent);
  return inNewSpan(correlation, name, options, work);
}

async function inNewSpan<T>(
  correlation: Correlation,
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const { span, context } = startSpan(name, options, correlation.context);
  try {
    const { ids: _, ...rest } = correlation;
    return await storage.run({ ...rest, context }, () => work(span));
  } catch (error) {
    // The name alone, because the message may quote a text or a phone.
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown');
    throw error;
  } finally {
    span.end();
  }
}

/** Runs work of the request with these ids. */
export const resumeCorrelation = <T>({ traceparent, request_id }: CorrelationIds, work: () => T): T =>
  storage.run({ context: contextOf({ traceparent: traceparent ?? undefined }), request_id }, work);
