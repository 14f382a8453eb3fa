import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { Registry } from 'prom-client';
import { registerMetrics } from '../telemetry/metrics.ts';
import { registerCorrelation } from '../telemetry/request-correlation.ts';
import { type AccessOptions, registerAccess } from './access.ts';
import { type AdmissionOptions, registerAdmission } from './admission.ts';
import { createErrorHandler, handleClientError, handleNotFound } from './error-handling.ts';
import { registerHealth } from './health.ts';
import { Problem } from './problem.ts';
import { type Page, registerGreeting } from './root-route.ts';
import { registerSecurityHeaders } from './security-headers.ts';
import type { Server } from './types.ts';

export interface ServerOptions extends AccessOptions, AdmissionOptions {
  title: string;
  /** What GET / says. */
  greeting: string;
  /** What GET / answers whoever prefers HTML. Default: the same as anybody else. */
  page?: Page;
  description: string;
  version: string;
  logger: FastifyBaseLogger;
  /** Rejects while the service can not do its job; `/health/ready` then says 503. Default: it always can. */
  ready?: () => Promise<void>;
  /** The problem that one of the service's own errors is to a client. */
  translateError?: (error: Error) => Problem | undefined;
  /** Makes a value of a JSON body, or throws. Default: JSON.parse. */
  parseJson?: (text: string) => unknown;
  /** What GET /metrics shows, beside the requests, which are added to it. Default: nothing else. */
  metrics?: Registry;
}

/**
 * Fastify with what every service here has: zod for input, problem documents for errors, OpenAPI, health, and a stop
 * that cuts nobody off. It does not listen.
 */
export async function buildServer(options: ServerOptions): Promise<Server> {
  const handleError = createErrorHandler(options.translateError ?? (() => undefined));
  const server = Fastify({
    loggerInstance: options.logger,
    childLoggerFactory: (logger) => logger, // what is a request's own is on every line, whoever writes it
    // A service logs what it did, in one line of its own.
    logController: new LogController({ disableRequestLogging: true }),
    // Against clients that are slow on purpose: to send their headers, the whole request, or to read the answer.
    bodyLimit: 64 * 1024,
    http: { headersTimeout: 5000, connectionsCheckingInterval: 1000 },
    requestTimeout: 10_000,
    connectionTimeout: 60_000,
    routerOptions: { maxParamLength: 1024 }, // a customer's id has up to 255 characters, each up to four bytes
    return503OnClosing: false, // not a problem document; registerAdmission sends one
    clientErrorHandler: handleClientError,
    frameworkErrors: (error, request, reply) => {
      handleError(error, request as never, reply as never);
    },
  }).withTypeProvider<ZodTypeProvider>();

  parseJsonOnly(server, options.parseJson ?? JSON.parse);
  server.setValidatorCompiler(validatorCompiler);
  // Answers are built by our own code and checked by the compiler and the tests: no second check for each request.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.setErrorHandler(handleError);
  server.setNotFoundHandler(handleNotFound);

  registerCorrelation(server);
  registerMetrics(server, options.metrics ?? new Registry());
  registerSecurityHeaders(server);
  registerAdmission(server, options);
  await registerAccess(server, options);
  await registerDocs(server, options);
  registerGreeting(server, options.greeting, options.page);
  registerHealth(server, options.ready);
  return server;
}

/**
 * Any other type is a 415. Schemas are strict, so that a __proto__ is named as an unknown field like any other. An empty
 * body is no body: whether that is wrong is for the route to say, if there is one.
 */
function parseJsonOnly(server: Server, parse: (text: string) => unknown): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (_request: unknown, body: string, done: (error: Error | null, value?: unknown) => void) => {
      if (body === '') return done(null);
      let value: unknown;
      try {
        value = parse(body);
      } catch {
        return done(new Problem(400, 'malformed-request', 'The body is not valid JSON.'));
      }
      done(null, value);
    },
  );
}

async function registerDocs(server: Server, { title, description, version }: ServerOptions): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, description, version },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
    transform: (document) => {
      const { schema, url } = jsonSchemaTransform(document);
      const access = document.route.config?.access ?? ['admin'];
      return { schema: access === 'anyone' ? schema : { ...schema, security: [{ key: [] }] }, url };
    },
  });
  await server.register(async (docs: Server) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'anyone' };
    });
    await docs.register(swaggerUi, { routePrefix: '/docs', staticCSP: docsPolicy });
  });
  server.get('/openapi.json', { config: { access: 'anyone' }, schema: { hide: true } }, async () =>
    server.swagger(),
  );
}

/** What the page needs, which has its styles inline. */
const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
