import type { FastifyBaseLogger } from 'fastify';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { overloaded } from '../client/answer.ts';
import {
  idempotencyKeySchema,
  notifyReplySchema,
  notifyRequestSchema,
  type Provider,
  providerSchema,
} from '../contract/notification.ts';
import type { AccessOptions } from '../http/access.ts';
import type { AdmissionOptions } from '../http/admission.ts';
import { badRequestResponse, Problem, problemResponse } from '../http/problem.ts';
import { buildServer } from '../http/server.ts';
import type { Server } from '../http/types.ts';
import type { Gateway } from './gateway.ts';
import { createMemoryIdempotencyStore } from './idempotency/memory.ts';
import type { PostgresIdempotencyStoreOptions } from './idempotency/postgres.ts';
import type { IdempotencyStore } from './idempotency/store.ts';
import { idempotencyStoreProblem } from './idempotency/store-unavailable.ts';
import { measureSends } from './metrics.ts';
import { gatewayTimeout, replyTo } from './outcome-reply.ts';
import { registerFaultInjection } from './sandbox/fault-injection.ts';
import { registerSandboxRoutes } from './sandbox/routes.ts';
import type { Sandbox } from './sandbox/sandbox.ts';

export interface ProviderAppOptions {
  provider: Provider;
  version: string;
  gateway: Gateway;
  /** The gateway again where it is a sandbox: its levers become routes. */
  sandbox?: Sandbox;
  /** How long an answer may take. Below payment-service's deadline, so that the answer arrives and carries an outcome. */
  gatewayTimeoutMs: number;
  access: AccessOptions & AdmissionOptions;
  logger: FastifyBaseLogger;
  /** The database of the idempotency store that replicas share. Default: a store in this process's memory. */
  sendsDatabaseUrl?: string | undefined;
  /** What GET /metrics shows; the sends and the requests are added to it. Default: nothing else. */
  metrics?: Registry | undefined;
}

const notTakenResponses = {
  400: badRequestResponse,
  422: problemResponse('`rejected`: the provider will not send to this recipient'),
  429: problemResponse('`not_sent`: too many at a time; see Retry-After'),
  502: problemResponse('`unknown`: nobody knows whether it was sent'),
  503: problemResponse('`not_sent`'),
  504: problemResponse('`unknown`: the provider did not answer in time'),
};

/**
 * A notification provider as an HTTP service. Aldeamo's and Twilio's differ in these options. It takes over the gateway,
 * and closes it when it closes.
 */
export async function buildProviderApp({
  provider,
  version,
  gateway,
  sandbox,
  gatewayTimeoutMs,
  access,
  logger,
  sendsDatabaseUrl,
  metrics = new Registry(),
}: ProviderAppOptions): Promise<Server> {
  const send = measureSends(provider, gateway.send, metrics);
  const store = sendsDatabaseUrl
    ? await createSharedStore({
        provider,
        url: sendsDatabaseUrl,
        timeoutMs: gatewayTimeoutMs,
        send,
        log: logger,
      })
    : createMemoryIdempotencyStore(send);
  const server = await buildServer({
    title: `${provider} service`,
    greeting: `Servicio de ${provider}`,
    description: `Sends notifications through ${provider}.`,
    version,
    logger,
    metrics,
    refusalMembers: (reason) => (reason === 'overloaded' ? overloaded : { outcome: 'not_sent', reason }),
    ready: async () => store.ready?.(),
    translateError: idempotencyStoreProblem,
    ...access,
  });
  const mode = sandbox ? ('sandbox' as const) : ('live' as const);
  let requests = 0;
  if (sandbox) registerFaultInjection(server, sandbox);

  server.post(
    '/notify',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        summary: `Send one SMS through ${provider}`,
        description:
          'The same `Idempotency-Key` is answered with the first answer for 24 hours; a request that is still running is joined.',
        headers: z.object({ 'idempotency-key': idempotencyKeySchema.optional() }),
        body: notifyRequestSchema,
        response: {
          200: notifyReplySchema,
          409: problemResponse('The key came with another body before'),
          ...notTakenResponses,
        },
      },
    },
    async ({ headers, body, log }) => {
      requests += 1;
      const started = performance.now();
      const idempotency_key = headers['idempotency-key'] ?? null;
      const outcome = await within(
        gatewayTimeoutMs,
        store.send({ ...body, idempotency_key }),
        gatewayTimeout,
      );
      const duration_ms = Math.round(performance.now() - started);
      log.info({ provider, idempotency_key, duration_ms, ...outcome }, 'notification answered');
      return replyTo(provider, outcome);
    },
  );

  server.delete(
    '/notify',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        summary:
          'Withdraw the POST /notify with this Idempotency-Key, unless it has come: then say what became of it',
        description:
          'Answers as that request did or will. 404 if it is not known here: should it still come, it is not sent; and if it was made less than `complete_for_ms` ago, it has not been sent before either. That is an age, so that the clocks of two hosts are never compared.',
        headers: z.object({ 'idempotency-key': idempotencyKeySchema }),
        response: {
          200: notifyReplySchema,
          404: problemResponse('No such request is known; see `complete_for_ms`'),
          ...notTakenResponses,
        },
      },
    },
    async ({ headers }) => {
      const outcome = await within(
        gatewayTimeoutMs,
        store.cancel(headers['idempotency-key']),
        gatewayTimeout,
      );
      if (!outcome) {
        throw new Problem(
          404,
          'notification-unknown',
          'No request with this Idempotency-Key is known here.',
          {
            complete_for_ms: await store.completeForMs(),
          },
        );
      }
      return replyTo(provider, outcome);
    },
  );

  server.get(
    '/health',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        summary: 'How the service is',
        response: {
          200: z.object({
            status: z.literal('healthy'),
            provider: providerSchema,
            mode: z.enum(['sandbox', 'live']),
            requests: z.number().int().meta({ description: 'POST /notify requests since the start' }),
          }),
        },
      },
    },
    async () => ({ status: 'healthy' as const, provider, mode, requests }),
  );

  server.get(
    '/health/upstream',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['health'],
        summary: `Whether ${provider}'s API is well`,
        response: {
          200: z.object({ status: z.literal('healthy') }),
          503: problemResponse('It is not, or it does not say'),
        },
      },
    },
    async () => {
      const well = await within(gatewayTimeoutMs, gateway.check(), false);
      if (!well) throw new Problem(503, 'upstream-unhealthy', `${provider}'s API is not well.`);
      return { status: 'healthy' as const };
    },
  );

  if (sandbox) registerSandboxRoutes(server, sandbox);
  server.addHook('onListen', async () => {
    logger.info({ provider, mode }, sandbox ? 'nothing is sent for real' : 'SMS are sent for real');
  });
  server.addHook('onClose', async () => {
    await gateway.close?.();
    await store.close?.();
  });
  return server;
}

/** Imported here, because only replicas need the driver. */
async function createSharedStore(options: PostgresIdempotencyStoreOptions): Promise<IdempotencyStore> {
  const { createPostgresIdempotencyStore } = await import('./idempotency/postgres.ts');
  return createPostgresIdempotencyStore(options);
}

/** What the promise brings, or the other value once the time is up. What was begun goes on: the same key will find it. */
function within<T>(timeoutMs: number, work: Promise<T> | T, otherwise: T): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(resolve, timeoutMs, otherwise);
  Promise.resolve(work)
    .then(resolve, reject)
    .finally(() => clearTimeout(timer));
  return promise;
}
