import process from 'node:process';
import { collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { Server } from '../http/types.ts';

const shortDurations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/**
 * The buckets of durations, in seconds: from a millisecond, the fastest response, to more than two deadlines, the slowest. At
 * the deadline there is a bucket, so that what ended by it is counted apart from what came before. The one of a second is that
 * of the alert PaymentsSlow.
 */
export function durationBuckets(deadlineMs: number): number[] {
  const byDeadline = [2 / 3, 1, 4 / 3, 2, 10 / 3].map((share) => Math.round(share * deadlineMs) / 1000);
  return [...new Set([...shortDurations, ...byDeadline])].toSorted((one, other) => one - other);
}

/** One series for all unknown paths, because a scanner tries any number of them. */
const noRoute = 'none';

/** nginx's status for a client that disconnected before the response. Otherwise the slowest requests would not be counted. */
const clientClosedRequest = 499;

/** `GET /metrics`, and the durations of requests. Called before the routes, because a hook applies to later routes. */
export function registerMetrics(
  server: Server,
  { registry, version, deadlineMs }: { registry: Registry; version: string; deadlineMs: number },
): void {
  exportBuild(registry, version);
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: "Durations of requests, by the route's pattern; status code 499: the client disconnected",
    labelNames: ['method', 'route', 'status_code'],
    buckets: durationBuckets(deadlineMs),
    registers: [registry],
  });
  server.onResponseClosed((request, reply) => {
    const status_code = reply.raw.writableEnded ? reply.statusCode : clientClosedRequest;
    const route = request.routeOptions.url ?? noRoute;
    durations.observe({ method: request.method, route, status_code }, reply.elapsedTime / 1000);
  });
  server.get(
    '/metrics',
    { config: { access: ['service', 'admin'] }, schema: { hide: true } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  );
}

/** The value is 1: to join a version to another metric, and to count how many processes have it. */
function exportBuild(registry: Registry, version: string): void {
  new Gauge({
    name: 'paysms_build_info',
    help: '1, with the release of the service and the version of Node.js that runs it',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  }).set({ version, node_version: process.versions.node }, 1);
}

/**
 * Memory, CPU, event loop and garbage collection. Once a process, because the observers run until it ends: an app that is built
 * and closed must not call it.
 */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  // Gauges must not be named _total. The series of their parts can be summed instead.
  for (const name of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${name}_total`);
}
