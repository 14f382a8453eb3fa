import { Problem } from './problem.ts';
import type { Server } from './types.ts';

type Refusal = 'stopping' | 'overloaded';

export interface AdmissionOptions {
  /** One more request is refused, because it would only delay all of them. */
  maxConcurrentRequests?: number;
  /** More members of the problem document. */
  refusalMembers?: (reason: Refusal) => Record<string, unknown>;
}

const details: Record<Refusal, string> = {
  stopping: 'The service is stopping. Retry later.',
  overloaded: 'The concurrency limit is reached. Retry later.',
};

/**
 * Admits requests up to the limit. Once the server stops, new requests are refused until those being handled have ended;
 * then it closes. Each of those closes its connection, because an idle keep-alive connection would delay the stop for as long
 * as the client likes.
 */
export function registerAdmission(
  server: Server,
  { maxConcurrentRequests = Number.POSITIVE_INFINITY, refusalMembers = () => ({}) }: AdmissionOptions,
): void {
  const stopping = new AbortController();
  server.decorate('stopping', stopping.signal);
  let handled = 0;
  const ended = Promise.withResolvers<void>();
  server.addHook('preClose', async () => {
    stopping.abort();
    if (handled > 0) await ended.promise;
  });
  server.addHook('onRequest', (request, reply, done) => {
    const reason = stopping.signal.aborted
      ? 'stopping'
      : handled >= maxConcurrentRequests
        ? 'overloaded'
        : null;
    if (reason !== 'stopping' && (reason === null || isAboutHealth(request.url))) {
      handled += 1;
      reply.raw.once('close', () => {
        handled -= 1;
        if (stopping.signal.aborted && handled === 0) ended.resolve();
      });
      return done();
    }
    if (request.url === '/health/live') return done();
    throw new Problem(503, reason, details[reason], {
      ...refusalMembers(reason),
      headers: { 'retry-after': '1' },
    });
  });
  server.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping.signal.aborted) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** Admitted beyond the limit, because an orchestrator would kill a busy process that does not answer. */
const isAboutHealth = (url: string) => url === '/health/live' || url === '/health/ready';
