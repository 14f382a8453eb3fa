import type { FastifyRequest } from 'fastify';
import { linger } from './linger.ts';
import { Problem } from './problem.ts';
import type { Server } from './types.ts';

type Refusal = 'stopping' | 'overloaded';

export interface AdmissionOptions {
  /** One more request is refused, because it would only delay all of them. */
  maxConcurrentRequests?: number;
  /** More members of the problem document. */
  refusalMembers?: (reason: Refusal) => Record<string, unknown>;
}

/** From the start of a stop, in ms: most clients that are at work send their next request within it. */
const lingerMs = 1000;

const details: Record<Refusal, string> = {
  stopping: 'The service is stopping. Retry later.',
  overloaded: 'The concurrency limit is reached. Retry later.',
};

/**
 * Admits requests up to the limit. Once the server stops, new requests are refused until those being handled have ended;
 * then it closes. The last response of each connection closes it, and an idle connection may have one more within a second: a
 * request that crosses the stop would else meet a reset, and its client could not know whether it was handled.
 */
export function registerAdmission(
  server: Server,
  { maxConcurrentRequests = Number.POSITIVE_INFINITY, refusalMembers = () => ({}) }: AdmissionOptions,
): void {
  const stopping = new AbortController();
  server.decorate('stopping', stopping.signal);
  /** The latest request of each connection. A pipelined one must not lose its response to the one before it. */
  const latest = new WeakMap<FastifyRequest['socket'], FastifyRequest['raw']>();
  let handled = 0;
  const ended = Promise.withResolvers<void>();
  server.addHook('preClose', async () => {
    stopping.abort();
    const lingered = performance.now() + lingerMs;
    if (handled > 0) await ended.promise;
    await linger(server.server, lingered);
  });
  server.addHook('onRequest', (request, reply, done) => {
    latest.set(request.socket, request.raw);
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
  server.addHook('onSend', ({ socket, raw }, reply, payload, done) => {
    if (stopping.signal.aborted && latest.get(socket) === raw) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** Admitted beyond the limit, because an orchestrator would kill a busy process that does not answer. */
const isAboutHealth = (url: string) => url === '/health/live' || url === '/health/ready';
