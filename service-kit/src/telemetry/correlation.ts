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

/** What ties together all that is done for one request, in whichever service and however much later. */
export interface Correlation {
  /** Where in which trace this is. */
  context: Context;
  /** null for a payment of a release that did not keep it. */
  request_id: string | null;
  /** Whose request it is, where it has shown a key. */
  client?: string;
  /** How it travels, once somebody has asked: that of a payment is asked for with each of its attempts. */
  ids?: TravellingIds;
}

/** How a correlation is kept. */
export interface CorrelationIds {
  traceparent: string | null;
  request_id: string | null;
}

type TravellingIds = CorrelationIds & { tracestate?: string };

const storage = new AsyncLocalStorage<Correlation>();
const propagator = new W3CTraceContextPropagator();
// Until tracing-export.ts is loaded, what it starts are spans that nobody records.
const tracer = trace.getTracer('payments-with-sms');

export const currentCorrelation = () => storage.getStore();

/** For each log line. */
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

/** For each call to another of our services. */
export function correlationHeaders(): Record<string, string> {
  const { traceparent, tracestate, request_id } = currentIds();
  const headers: Record<string, string> = {};
  if (traceparent) headers.traceparent = traceparent;
  if (tracestate) headers.tracestate = tracestate;
  if (request_id) headers['x-request-id'] = request_id;
  return headers;
}

/** To be kept with what will be gone on with later. */
export function currentIds(): TravellingIds {
  const correlation = storage.getStore();
  if (!correlation) return { traceparent: null, request_id: null };
  correlation.ids ??= idsOf(correlation);
  return correlation.ids;
}

function idsOf({ context, request_id }: Correlation): TravellingIds {
  const carrier: Record<string, string> = {};
  propagator.inject(context, carrier, defaultTextMapSetter);
  const { traceparent = null, tracestate } = carrier;
  return tracestate ? { traceparent, tracestate, request_id } : { traceparent, request_id };
}

/** Where the headers of a request, or what was kept, say that it comes from. */
export const contextOf = (headers: Record<string, unknown>): Context =>
  propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);

export const runCorrelated = <T>(correlation: Correlation, work: () => T): T =>
  storage.run(correlation, work);

/** A span, and what happens within it. One that nobody records and that has no parent gets ids of its own, for the log. */
export function startSpan(
  name: string,
  options: SpanOptions,
  parent: Context,
): { span: Span; context: Context } {
  const started = tracer.startSpan(name, options, parent);
  const span = isSpanContextValid(started.spanContext()) ? started : spanOfNobody();
  return { span, context: trace.setSpan(parent, span) };
}

/** The first of its trace: its id need not differ from that. Not by randomBytes, which asks for entropy each time. */
function spanOfNobody(): Span {
  const traceId = randomUUID().replaceAll('-', '');
  return trace.wrapSpanContext({ traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED });
}

/** Does the work as a span of what is under way; within one that is ours and that nobody records, no other is made. */
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
    // The kind alone: a message may quote what no trace is to hold.
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown');
    throw error;
  } finally {
    span.end();
  }
}

/** Goes on with what was begun by the request with these ids. */
export const resumeCorrelation = <T>({ traceparent, request_id }: CorrelationIds, work: () => T): T =>
  storage.run({ context: contextOf({ traceparent: traceparent ?? undefined }), request_id }, work);
