import type { FastifyBaseLogger } from 'fastify';
import { Registry } from 'prom-client';
import type { z } from 'zod';
import { trustExtraAuthorities } from '../client/extra-authorities.ts';
import { proxyOptions } from '../client/way-out-settings.ts';
import type { Provider } from '../contract/notification.ts';
import { accessOptions } from '../http/access-settings.ts';
import type { ProblemKinds } from '../http/problem.ts';
import { startService } from '../http/start.ts';
import type { Server } from '../http/types.ts';
import { withPassword } from '../postgres/database-settings.ts';
import { type Account, createAccount } from './account.ts';
import { buildProviderApp } from './app.ts';
import type { Gateway, LiveGatewayOptions } from './gateway.ts';
import { staleMs } from './idempotency/store.ts';
import { countFaults } from './metrics.ts';
import { createReceiptForwarder } from './receipts/receipt-forwarder.ts';
import { createReceiptPush } from './receipts/receipt-push.ts';
import { createSandbox, type Sandbox, type SandboxOptions } from './sandbox/sandbox.ts';
import type { ProviderConfig } from './settings.ts';

/** What differs between two providers. */
export interface ProviderService<Config extends ProviderConfig> {
  provider: Provider;
  configSchema: z.ZodType<Config>;
  /** Undefined without credentials: then the service is a sandbox. */
  createGateway(config: Config, options: Omit<LiveGatewayOptions, 'url'>): Gateway | undefined;
  sandboxOptions(config: Config): Pick<SandboxOptions, 'settings' | 'ledgerFile'>;
  /** With those of the provider's own routes. Default: those of every provider service. */
  problems?: ProblemKinds;
  /** Adds the provider's own routes, such as webhooks, of which the account learns. */
  registerRoutes?(server: Server, config: Config, account: Account): void;
}

export const startProvider = <Config extends ProviderConfig>(
  service: ProviderService<Config>,
  process: NodeJS.Process,
  { name, version }: { name: string; version: string },
): Promise<void> =>
  startService(
    {
      name,
      configSchema: service.configSchema,
      leaseMs: (config) => staleMs(config.GATEWAY_TIMEOUT_MS),
      build: (config, logger, metrics) => buildProvider(service, config, { logger, version, metrics }),
    },
    process,
  );

interface ProviderRuntime {
  logger: FastifyBaseLogger;
  version: string;
  metrics?: Registry;
}

/** Live if there are credentials, else a sandbox. */
export async function buildProvider<Config extends ProviderConfig>(
  service: ProviderService<Config>,
  config: Config,
  runtime: ProviderRuntime,
): Promise<Server> {
  trustExtraAuthorities(config.NODE_EXTRA_CA_CERTS);
  const { provider } = service;
  const { SENDS_DATABASE_URL: url } = config;
  const { logger: log, metrics = new Registry() } = runtime;
  const account = createAccount({ provider, log, onFault: countFaults(provider, metrics) });
  const server = await buildProviderApp({
    provider,
    ...gatewayOf(service, config, { account, log }),
    gatewayTimeoutMs: config.GATEWAY_TIMEOUT_MS,
    sendsDatabaseUrl: url && withPassword(url, config.SENDS_DATABASE_PASSWORD),
    access: accessOptions(config),
    problems: service.problems,
    ...runtime,
    metrics,
  });
  service.registerRoutes?.(server, config, account);
  return server;
}

function gatewayOf<Config extends ProviderConfig>(
  service: ProviderService<Config>,
  config: Config,
  learning: Learning,
): { gateway: Gateway; account?: Account; sandbox?: Sandbox } {
  const live = createLiveGateway(service, config, learning);
  if (live) return { gateway: live, account: learning.account };
  const forwarder = createReceiptForwarder({
    paymentServiceUrl: config.PAYMENT_SERVICE_URL,
    serviceTokens: config.SERVICE_TOKEN,
  });
  const sandbox = createSandbox({
    provider: service.provider,
    ...service.sandboxOptions(config),
    push: createReceiptPush(forwarder, learning.log),
  });
  return { gateway: sandbox, sandbox };
}

interface Learning {
  account: Account;
  log: FastifyBaseLogger;
}

/** Undefined without credentials. */
export const createLiveGateway = <Config extends ProviderConfig>(
  { createGateway }: ProviderService<Config>,
  config: Config,
  { account, log }: Learning,
): Gateway | undefined =>
  createGateway(config, {
    // A little before the answer is due, because only the gateway knows whether its request was written.
    timeoutMs: Math.ceil(config.GATEWAY_TIMEOUT_MS * 0.95),
    maxConcurrency: config.GATEWAY_MAX_CONCURRENCY,
    account,
    proxy: proxyOptions(config),
    log,
  });
