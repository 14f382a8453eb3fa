import { Problem } from './problem.ts';
import type { Server } from './types.ts';

type Refusal = 'stopping' | 'overloaded';

export interface AdmissionOptions {
  /** Requests under way at the same time. One more is turned away: it would only make all of them late. */
  maxConcurrentRequests?: number;
  /** What the problem document says beside the usual. */
  refusalMembers?: (reason: Refusal) => Record<string, unknown>;
}

const details: Record<Refusal, string> = {
  stopping: 'This service is stopping. Ask again soon.',
  overloaded: 'This service has as much to do as it can. Ask again soon.',
};

/**
 * Takes on requests up to the limit. Once the server stops, it turns away what still arrives, for as long as something is
 * under way; then it closes. What is under way takes its connection with it: an idle keep-alive connection would hold up
 * the stop for as long as the client likes.
 */
export function registerAdmission(
  server: Server,
  { maxConcurrentRequests = Number.POSITIVE_INFINITY, refusalMembers = () => ({}) }: AdmissionOptions,
): void {
  const stopping = new AbortController();
  server.decorate('stopping', stopping.signal);
  let underWay = 0;
  const ended = Promise.withResolvers<void>();
  server.addHook('preClose', async () => {
    stopping.abort();
    if (underWay > 0) await ended.promise;
  });
  server.addHook('onRequest', (request, reply, done) => {
    const reason = stopping.signal.aborted
      ? 'stopping'
      : underWay >= maxConcurrentRequests
        ? 'overloaded'
        : null;
    if (reason !== 'stopping' && (reason === null || isAboutHealth(request.url))) {
      underWay += 1;
      reply.raw.once('close', () => {
        underWay -= 1;
        if (stopping.signal.aborted && underWay === 0) ended.resolve();
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

/** An orchestrator that hears nothing from a busy process would kill it. */
const isAboutHealth = (url: string) => url === '/health/live' || url === '/health/ready';
