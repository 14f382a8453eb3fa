import type { FastifyBaseLogger } from 'fastify';
import { Registry } from 'prom-client';
import { overloaded } from '../client/answer.ts';
import type { Mode } from '../contract/mode.ts';
import type { Provider } from '../contract/notification.ts';
import type { AccessOptions } from '../http/access.ts';
import type { AdmissionOptions } from '../http/admission.ts';
import type { ProblemKinds } from '../http/problem.ts';
import { buildServer } from '../http/server.ts';
import type { SiteOptions } from '../http/site.ts';
import type { Server } from '../http/types.ts';
import type { Account } from './account.ts';
import type { Gateway } from './gateway.ts';
import { registerProviderHealth } from './health-routes.ts';
import { createMemoryIdempotencyStore } from './idempotency/memory.ts';
import type { PostgresIdempotencyStoreOptions } from './idempotency/postgres.ts';
import type { IdempotencyStore } from './idempotency/store.ts';
import { idempotencyStoreProblem } from './idempotency/store-unavailable.ts';
import { registerMessageRoutes } from './message-routes.ts';
import { exportAccount, exportReceipts, measureSends } from './metrics.ts';
import { registerNotifyRoutes } from './notify-routes.ts';
import { providerProblems } from './provider-problems.ts';
import { registerFaultInjection } from './sandbox/fault-injection.ts';
import { registerSandboxRoutes } from './sandbox/routes.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { createUpstreamCheck } from './upstream-check.ts';

export interface ProviderAppOptions {
  provider: Provider;
  version: string;
  gateway: Gateway;
  /** What the gateway learns of the account; undefined for a sandbox. */
  account?: Account | undefined;
  /** The gateway again if it is a sandbox: it gets routes and faults. */
  sandbox?: Sandbox;
  /** The deadline of an answer. Below payment-service's, so that the answer arrives and carries an outcome. */
  gatewayTimeoutMs: number;
  access: AccessOptions & AdmissionOptions & SiteOptions;
  logger: FastifyBaseLogger;
  /** All that the service may respond with. Default: those of every provider service. */
  problems?: ProblemKinds | undefined;
  /** The database of the idempotency store that replicas share. Default: a store in this process's memory. */
  sendsDatabaseUrl?: string | undefined;
  /** Gets the metrics of the sends and the requests, and is what GET /metrics returns. Default: a new one. */
  metrics?: Registry | undefined;
}

/** A notification provider as an HTTP service. It owns the gateway, and closes it when it closes. */
export async function buildProviderApp(options: ProviderAppOptions): Promise<Server> {
  const { provider, version, gateway, account, sandbox, gatewayTimeoutMs, logger } = options;
  const { metrics = new Registry() } = options;
  const mode = sandbox ? 'sandbox' : 'live';
  const store = await openIdempotencyStore(options.sendsDatabaseUrl, {
    provider,
    timeoutMs: gatewayTimeoutMs,
    send: withMode(
      mode,
      measureSends(provider, gateway.send, { registry: metrics, deadlineMs: gatewayTimeoutMs }),
    ),
    log: logger,
  });
  const server = await buildServer({
    title: `${provider} service`,
    greeting: `Servicio de ${provider}`,
    description: `Sends notifications through ${provider}.`,
    tags: {
      notifications: 'Sending one SMS, and what became of it. For payment-service.',
      webhooks: `The requests of ${provider}, by which it reports on SMS, and passes on those of recipients.`,
      health: 'Whether the service and its provider can do their work.',
      sandbox: 'The imitation of the provider: its faults, its delays, and what it has accepted.',
      problems: 'What the `type` of a problem document refers to.',
    },
    version,
    logger,
    metrics,
    deadlineMs: gatewayTimeoutMs,
    refusalMembers: (reason) => ({
      ...(reason === 'overloaded' ? overloaded : { outcome: 'not_sent', reason }),
      mode,
    }),
    ready: async () => store.ready?.(),
    longestWaitMs: gatewayTimeoutMs / 10, // payment-service's deadline is a fifth longer than the gateway's
    problems: options.problems ?? providerProblems,
    translateError: idempotencyStoreProblem,
    ...options.access,
  });
  let requests = 0;
  const onRequest = () => {
    requests += 1;
  };

  if (sandbox) registerFaultInjection(server, sandbox);
  registerNotifyRoutes(server, { provider, mode, store, gateway, gatewayTimeoutMs, onRequest });
  registerMessageRoutes(server, { provider, gateway, gatewayTimeoutMs });
  const upstream = createUpstreamCheck({ gateway, account, timeoutMs: gatewayTimeoutMs });
  registerProviderHealth(server, {
    provider,
    version,
    mode,
    account,
    upstreamHealth: upstream.health,
    requests: () => requests,
  });
  exportAccount(provider, account, metrics);
  exportReceipts(provider, gateway, metrics);
  if (sandbox) registerSandboxRoutes(server, sandbox);
  server.addHook('onListen', async () => {
    logger.info({ provider, mode }, sandbox ? 'sandbox: no SMS is sent' : 'live: SMS are sent');
    if (!sandbox && options.access.credentials.length === 0)
      logger.warn(
        { provider, mode },
        'there are no keys: any program that reaches this service can send SMS; set ADMIN_API_KEY and SERVICE_TOKEN',
      );
    if (account) upstream.watch(server.stopping);
  });
  server.addHook('onClose', async () => {
    await gateway.close?.();
    await store.close?.();
  });
  return server;
}

/** The mode is part of an outcome, so that a stored one keeps it when the service comes back in the other mode. */
const withMode =
  (mode: Mode, send: Gateway['send']): Gateway['send'] =>
  async (sms) => ({ ...(await send(sms)), mode });

async function openIdempotencyStore(
  url: string | undefined,
  options: Omit<PostgresIdempotencyStoreOptions, 'url'>,
): Promise<IdempotencyStore> {
  if (!url) return createMemoryIdempotencyStore(options.send);
  // Imported here, because only replicas need the driver.
  const { createPostgresIdempotencyStore } = await import('./idempotency/postgres.ts');
  return createPostgresIdempotencyStore({ url, ...options });
}
