import { randomUUID } from 'node:crypto';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Server } from '../http/types.ts';
import { contextOf, runCorrelated, startSpan } from './correlation.ts';

/**
 * What a log line and a grep can carry. Whatever else comes as an id is not taken over; neither is what may be a phone,
 * which no log is to hold.
 */
const isRequestId = (id: unknown): id is string =>
  typeof id === 'string' && /^[\w.-]{1,128}$/.test(id) && !/^[\d.-]{7,20}$/.test(id);

/**
 * Takes over the trace and the id that a request comes with, or gives it some; the answer has the id, too. To be called
 * before the other hooks, so that what they log and refuse has them.
 */
export function registerCorrelation(server: Server): void {
  server.addHook('onRequest', (request, reply, done) => {
    const given = request.headers['x-request-id'];
    const request_id = isRequestId(given) ? given : randomUUID();
    reply.header('x-request-id', request_id);
    const { method } = request;
    const attributes = { 'http.request.method': method };
    const { span, context } = startSpan(
      method,
      { kind: SpanKind.SERVER, attributes },
      contextOf(request.headers),
    );
    if (span.isRecording()) {
      const { url } = request.routeOptions; // which Fastify makes anew each time that it is asked for
      if (url) span.updateName(`${method} ${url}`).setAttribute('http.route', url);
      reply.raw.once('close', () => {
        span.setAttribute('http.response.status_code', reply.statusCode);
        if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      });
    }
    runCorrelated({ context, request_id }, done);
  });
}
