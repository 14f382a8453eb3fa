import { collectDefaultMetrics, Histogram, type Registry } from 'prom-client';
import type { Server } from '../http/types.ts';

/** In seconds. An answer takes a millisecond at best, and two deadlines of 3 s and what is around them at worst. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 6, 10];

/** What is asked of where there is nothing: whatever a scanner tries is one series. */
const noRoute = 'none';

/** The client hung up before it had its answer; nginx's number for it. Else the slowest requests would go uncounted. */
const clientClosedRequest = 499;

/** `GET /metrics`, and how long the requests take. To be called before the routes: a hook is for the routes after it. */
export function registerMetrics(server: Server, registry: Registry): void {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: "How long requests took, by the route's pattern; status code 499: the client hung up",
    labelNames: ['method', 'route', 'status_code'],
    buckets: durationBuckets,
    registers: [registry],
  });
  server.addHook('onRequest', (request, reply, done) => {
    // Not onResponse, which does not come where the client has hung up.
    reply.raw.once('close', () => {
      const status_code = reply.raw.writableEnded ? reply.statusCode : clientClosedRequest;
      const route = request.routeOptions.url ?? noRoute;
      durations.observe({ method: request.method, route, status_code }, reply.elapsedTime / 1000);
    });
    done();
  });
  server.get(
    '/metrics',
    { config: { access: ['service', 'admin'] }, schema: { hide: true } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  );
}

/**
 * Memory, CPU, event loop and garbage collection. They are the process's, which has one set of them: what watches them
 * runs until the process ends, so no app that is built and closed again may ask for it.
 */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  // Gauges, which must not be named _total. Their parts have names of their own, and can be added up.
  for (const name of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${name}_total`);
}
