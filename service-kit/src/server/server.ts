import type { IncomingMessage, ServerResponse } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  LogController,
  type RawServerDefault,
} from 'fastify';
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { Registry } from 'prom-client';
import { createErrorHandler, handleClientError, handleNotFound, sendProblem } from './error-handling.ts';
import { type Page, registerGreeting } from './greeting.ts';
import { registerHealth } from './health.ts';
import { registerMetrics } from './metrics.ts';
import { Problem } from './problem.ts';

export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborted as soon as the server stops, while requests are still under way. */
    stopping: AbortSignal;
  }
}

export type Reviver = (key: string, value: unknown, context: { source: string | undefined }) => unknown;

export interface ServerOptions {
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
  /** Called for each value of a JSON body, innermost first, as by JSON.parse. */
  reviver?: Reviver;
  /** What a problem document says beside the usual while the service stops. */
  stoppingMembers?: Record<string, unknown>;
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
    // A service logs what it did, in one line of its own.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
    requestTimeout: 10_000,
    routerOptions: { maxParamLength: 1024 }, // a customer's id has up to 255 characters, each up to four bytes
    return503OnClosing: false, // not a problem document; refuseWhileStopping sends one
    clientErrorHandler: handleClientError,
    frameworkErrors: (error, request, reply) => {
      handleError(error, request as never, reply as never);
    },
  }).withTypeProvider<ZodTypeProvider>();

  parseJsonOnly(server, options.reviver);
  server.setValidatorCompiler(validatorCompiler);
  // Answers are built by our own code and checked by the compiler and the tests: no second check for each request.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.setErrorHandler(handleError);
  server.setNotFoundHandler(handleNotFound);

  registerMetrics(server, options.metrics ?? new Registry());
  refuseWhileStopping(server, options.stoppingMembers);
  await registerDocs(server, options);
  registerGreeting(server, options.greeting, options.page);
  registerHealth(server, options.ready);
  return server;
}

/**
 * Once the server stops, it turns away what still arrives, for as long as something is under way; then it closes. What is
 * under way takes its connection with it: an idle keep-alive connection would hold up the stop for as long as the client
 * likes.
 */
function refuseWhileStopping(server: Server, members: Record<string, unknown> = {}): void {
  const stopping = new AbortController();
  server.decorate('stopping', stopping.signal);
  let underWay = 0;
  const ended = Promise.withResolvers<void>();
  server.addHook('preClose', async () => {
    stopping.abort();
    if (underWay > 0) await ended.promise;
  });
  server.addHook('onRequest', async (request, reply) => {
    if (!stopping.signal.aborted) {
      underWay += 1;
      reply.raw.once('close', () => {
        underWay -= 1;
        if (stopping.signal.aborted && underWay === 0) ended.resolve();
      });
      return;
    }
    if (request.url === '/health/live') return;
    const problem = new Problem(503, 'stopping', 'This service is stopping. Ask again soon.', {
      ...members,
      headers: { 'retry-after': '1' },
    });
    return sendProblem(reply, problem);
  });
  server.addHook('onSend', async (_request, reply) => {
    if (stopping.signal.aborted) reply.header('connection', 'close');
  });
}

/**
 * Any other type is a 415. Schemas are strict, so that a __proto__ is named as an unknown field like any other. An empty
 * body is no body: whether that is wrong is for the route to say, if there is one.
 */
function parseJsonOnly(server: Server, reviver: Reviver = (_key, value) => value): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, body: string) => {
      if (body === '') return undefined;
      try {
        return JSON.parse(body, reviver);
      } catch {
        throw new Problem(400, 'malformed-request', 'The body is not valid JSON.');
      }
    },
  );
}

async function registerDocs(server: Server, { title, description, version }: ServerOptions): Promise<void> {
  await server.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title, description, version } },
    transform: jsonSchemaTransform,
  });
  await server.register(swaggerUi, { routePrefix: '/docs' });
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
}
