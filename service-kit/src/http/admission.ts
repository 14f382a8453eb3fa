import type { ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { createPlaces } from './places.ts';
import { type RefusalOptions, refusal } from './refusal.ts';
import type { Server } from './types.ts';

export interface AdmissionOptions extends RefusalOptions {
  /** One more request is refused, because it would only delay all of them. */
  maxConcurrentRequests?: number;
  /** How long a client waits for a place beside one that has most of them. Default: 1000. */
  longestWaitMs?: number;
}

/** The name of a key, or a connection. */
type Client = string | FastifyRequest['socket'];

/** The routes of orchestrators and of the monitoring. */
const beyondTheLimit = new Set<string | undefined>(['/health/live', '/health/ready', '/health', '/metrics']);

export const isBeyondTheLimit = (url: string | undefined): boolean => beyondTheLimit.has(url);

/**
 * Admits requests up to the limit, and shares it between clients. Called after the access, because a client is the name of a key, and
 * so that what is refused for its key takes no place; where there is no key, a client is a connection, which may pipeline requests.
 */
export function registerAdmission(
  server: Server,
  { maxConcurrentRequests = Number.POSITIVE_INFINITY, longestWaitMs = 1000, ...options }: AdmissionOptions,
): void {
  const places = createPlaces(maxConcurrentRequests, longestWaitMs);
  server.stopping.addEventListener('abort', places.endWaits);

  /** @throws Problem */
  async function waitForPlace(
    client: Client,
    request: FastifyRequest,
    response: ServerResponse,
  ): Promise<void> {
    // A request behind another one of its connection does not wait. Otherwise a few connections with many of them each, and whose
    // responses are never read, would get every place that is free.
    const wait = response.socket === null ? undefined : places.wait(client);
    if (!wait) throw refusal('overloaded', options);
    request.leavePlace = wait.leave;
    if (await wait.place) return;
    throw refusal(server.stopping.aborted ? 'stopping' : 'overloaded', options);
  }

  server.decorateRequest('leavePlace', undefined);
  server.onResponseClosed((request) => request.leavePlace?.());
  server.addHook('onRequest', (request, reply, done) => {
    const client = request.credential?.name ?? request.socket;
    if (places.take(client)) {
      request.leavePlace = () => places.release(client);
      return done();
    }
    // An orchestrator would kill a busy process that does not answer.
    if (isBeyondTheLimit(request.routeOptions.url)) return done();
    waitForPlace(client, request, reply.raw).then(() => done(), done);
  });
}
