import { randomUUID } from 'node:crypto';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Server } from '../http/types.ts';
import { contextOf, runCorrelated, startSpan } from './correlation.ts';

/**
 * As many digits as a phone has, however they are separated, behind no more than a letter, `tel` or 00: it may be one, such as
 * `p573001234567`.
 */
const looksLikePhone = /^(?:[a-z]|tel)?[._-]*(?:00)?(?:\d[._-]*){7,15}$/i;

/** Short, without spaces, and not like a phone, because it is logged. Any other id is replaced. */
const isRequestId = (id: unknown): id is string =>
  typeof id === 'string' && /^[\w.-]{1,128}$/.test(id) && !looksLikePhone.test(id);

/**
 * Continues the trace and the id that a request comes with, or creates them; the response has the id, too. Called before the
 * other hooks, so that their log lines and refusals have them.
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
      const { url } = request.routeOptions; // a getter of Fastify that creates it anew each time
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
