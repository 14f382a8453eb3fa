import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { Registry } from 'prom-client';
import { registerMetrics } from '../telemetry/metrics.ts';
import { registerCorrelation } from '../telemetry/request-correlation.ts';
import { type AccessOptions, registerAccess, registerRateLimit } from './access.ts';
import { type AdmissionOptions, registerAdmission } from './admission.ts';
import { parseJsonOnly } from './body.ts';
import { createConnections, noteResponse, registerConnections } from './client-connections.ts';
import { createClientErrorHandler, refuseConnect } from './client-errors.ts';
import { limitConnections } from './connection-limit.ts';
import { createErrorHandler } from './error-handling.ts';
import { registerHealth } from './health.ts';
import { httpProblems } from './http-problems.ts';
import { leaveMalformedToUs, refuseMalformed } from './malformed-requests.ts';
import { type DocumentOptions, registerDocument } from './openapi.ts';
import type { Problem, ProblemKinds } from './problem.ts';
import { registerProblemPages } from './problem-pages.ts';
import { type Page, registerRootRoute } from './root-route.ts';
import { registerSecurityHeaders } from './security-headers.ts';
import { registerSite, type SiteOptions } from './site.ts';
import { registerStop } from './stop.ts';
import type { Server } from './types.ts';
import { refuseUnknownQuery } from './unknown-query.ts';
import { collectRoutes, refuseUnknownRoutes } from './unknown-routes.ts';

export interface ServerOptions extends AccessOptions, AdmissionOptions, SiteOptions, DocumentOptions {
  /** The `message` of GET /. */
  greeting: string;
  /** The response of GET / to a client that prefers HTML. Default: JSON. */
  page?: Page;
  logger: FastifyBaseLogger;
  /** Rejects while the service is not ready; `/health/ready` is 503 then. Default: always ready. */
  ready?: () => Promise<void>;
  /** All that the service may respond with. Default: those of every server. */
  problems?: ProblemKinds;
  /** Returns the problem of one of the service's own errors. */
  translateError?: (error: Error) => Problem | undefined;
  /** Parses a JSON body, or throws. Default: JSON.parse. */
  parseJson?: (text: string) => unknown;
  /** Gets the metrics of the requests, and is what GET /metrics returns. Default: a new one. */
  metrics?: Registry;
  /** The deadline of what the service calls, which the buckets of its durations follow. */
  deadlineMs: number;
}

/** A customer's id has up to 255 characters, each up to four bytes. */
const maxParamLength = 1024;

/**
 * Fastify with zod for input, problem documents for errors, OpenAPI, health, metrics, and a stop that lets requests end. It
 * does not listen.
 */
export async function buildServer(options: ServerOptions): Promise<Server> {
  const handleError = createErrorHandler(options.translateError ?? (() => undefined));
  const connections = createConnections();
  const server = Fastify({
    loggerInstance: options.logger,
    childLoggerFactory: (logger) => logger, // the correlation of a request is on every line already
    // A service logs each request in one line of its own.
    logController: new LogController({ disableRequestLogging: true }),
    // Against clients that are slow on purpose with their headers, with the request, or in reading the response.
    bodyLimit: 64 * 1024,
    http: { headersTimeout: 5000, connectionsCheckingInterval: 1000, ...leaveMalformedToUs },
    requestTimeout: 10_000,
    connectionTimeout: 60_000,
    routerOptions: { maxParamLength },
    return503OnClosing: false, // registerStop sends a problem document instead
    clientErrorHandler: createClientErrorHandler(connections),
    frameworkErrors: (error, request, reply) => {
      noteResponse(connections, request, reply);
      handleError(error, request as never, reply as never);
    },
  }).withTypeProvider<ZodTypeProvider>();

  parseJsonOnly(server, options.parseJson ?? JSON.parse);
  server.setValidatorCompiler(validatorCompiler);
  // Not validated again for each request, because the compiler and the tests check our own responses.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.setErrorHandler(handleError);
  refuseConnect(server.server, connections);

  const methodsOf = collectRoutes(server, maxParamLength);
  refuseUnknownQuery(server);
  registerCorrelation(server);
  registerConnections(server, connections);
  limitConnections(server, connections);
  registerMetrics(server, { ...options, registry: options.metrics ?? new Registry() });
  registerSecurityHeaders(server);
  registerStop(server, connections, options);
  refuseMalformed(server);
  registerSite(server, options);
  registerAccess(server, options);
  registerAdmission(server, options);
  await registerRateLimit(server, options);
  refuseUnknownRoutes(server, methodsOf);
  await registerDocument(server, options);
  registerRootRoute(server, options.greeting, options.page);
  registerHealth(server, options.ready);
  registerProblemPages(server, options.title, options.problems ?? httpProblems);
  return server;
}
