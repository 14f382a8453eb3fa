import { hostname } from 'node:os';
import { trustExtraAuthorities } from 'service-kit/client/extra-authorities.ts';
import { createHttpClient } from 'service-kit/client/http-client.ts';
import { accessOptions } from 'service-kit/http/access-settings.ts';
import { serviceHeaders } from 'service-kit/http/credentials.ts';
import type { Service } from 'service-kit/http/start.ts';
import { explainDatabaseError } from 'service-kit/postgres/explain-database-error.ts';
import packageJson from '../package.json' with { type: 'json' };
import { buildApp } from './app.ts';
import {
  boundsSettings,
  circuitBreakerParameters,
  paymentConfigSchema,
  requestRules,
  retryPolicy,
} from './config.ts';
import { storeUrl } from './database-url.ts';
import { createBounds } from './delivery/bounds.ts';
import { acceptedNow, watchClock } from './delivery/clock-watch.ts';
import { createNotifier } from './delivery/notifier.ts';
import { createProviderHolds } from './delivery/provider-holds.ts';
import { recallLive } from './delivery/recall-live.ts';
import { warnOfShared } from './isolation-settings.ts';
import { createRecentAttempts } from './live/recent-attempts.ts';
import { replicaChannelOf } from './live/replica-channel.ts';
import { createSandboxControls } from './live/sandbox-controls.ts';
import { countAttempts } from './metrics/attempts.ts';
import { countUnreadable } from './metrics/store.ts';
import { createHistory } from './operations/history.ts';
import { createProviderClient } from './providers/provider-client.ts';
import { createProviderModes } from './providers/provider-modes.ts';
import { openStore } from './store/open-store.ts';
import { createReopeningStore } from './store/reopening-store.ts';
import { createEndpoint } from './webhooks/endpoint.ts';
import { endpointOptions, recordingOf } from './webhooks/webhook-settings.ts';

/** payment-service, put together from its configuration. */
export const paymentService: Service<typeof paymentConfigSchema> = {
  name: packageJson.name,
  configSchema: paymentConfigSchema,
  leaseMs: (config) => config.NOTIFICATION_LEASE_MS,
  build: async (config, logger, metrics) => {
    warnOfShared(config, logger);
    trustExtraAuthorities(config.NODE_EXTRA_CA_CERTS);
    const limits = {
      timeoutMs: config.PROVIDER_TIMEOUT_MS,
      maxConcurrency: config.PROVIDER_MAX_CONCURRENCY,
      headers: serviceHeaders(config.SERVICE_TOKEN),
    };
    const databaseUrl = storeUrl(config);
    const recording = recordingOf(config);
    const webhook = endpointOptions(config);
    const policy = retryPolicy(config);
    const leaseMs = config.NOTIFICATION_LEASE_MS;
    const onUnreadable = countUnreadable(metrics);
    const clock = watchClock({ log: logger });
    const { longestSince } = clock;
    const recentAttempts = createRecentAttempts();
    const sandboxControls = createSandboxControls({
      Aldeamo: createHttpClient({ url: config.ALDEAMO_SERVICE_URL, ...limits, maxConcurrency: 1 }),
      Twilio: createHttpClient({ url: config.TWILIO_SERVICE_URL, ...limits, maxConcurrency: 1 }),
    });
    const replicaName = config.REPLICA_NAME ?? hostname();
    const history = createHistory({
      isKept: config.HISTORY_RETENTION_MS > 0,
      replica: replicaName,
      version: packageJson.version,
      log: logger,
    });
    const modes = createProviderModes({ allowMixed: config.ALLOW_MIXED_MODES, log: logger });
    const holds = createProviderHolds(() => acceptedNow(clock));
    const store = createReopeningStore(
      async () => {
        const opened = await openStore(databaseUrl, {
          leaseMs,
          log: logger,
          replicaName: config.REPLICA_NAME,
          events: recording,
          clientsIsolated: config.CLIENTS_ISOLATED,
          onUnreadable,
        });
        // Before anything is sent, so that a hold survives a restart.
        await holds.read(opened).catch(async (err: unknown) => {
          await opened.close();
          throw err;
        });
        await recallLive(opened, modes).catch((err: unknown) =>
          logger.warn({ err }, 'it is not known which provider was live before the start'),
        );
        return opened;
      },
      logger,
      (cause) => explainDatabaseError(cause, databaseUrl, 'DATABASE_URL'),
      history.storeFailed,
    );
    const bounds = createBounds({
      ...boundsSettings(config),
      modeOf: modes.of,
      store,
      clock,
      policy,
      log: logger,
    });
    const clients = {
      Aldeamo: createProviderClient({
        provider: 'Aldeamo',
        url: config.ALDEAMO_SERVICE_URL,
        longestSince,
        ...limits,
      }),
      Twilio: createProviderClient({
        provider: 'Twilio',
        url: config.TWILIO_SERVICE_URL,
        longestSince,
        ...limits,
      }),
    };
    const notifier = createNotifier({
      clients,
      parameters: circuitBreakerParameters(config),
      policy,
      bounds,
      holds,
      modes,
      observers: [countAttempts(metrics, config.PROVIDER_TIMEOUT_MS), recentAttempts, history.observer],
      clock,
      log: logger,
    });
    return buildApp({
      store,
      notifier,
      clients,
      policy,
      clock,
      bounds,
      holds,
      rules: requestRules(config),
      clientsIsolated: config.CLIENTS_ISOLATED,
      events: {
        recording,
        retentionMs: config.EVENTS_RETENTION_MS,
        webhooks: webhook && {
          endpoint: createEndpoint({ ...webhook, log: logger }),
          concurrency: webhook.concurrency,
          timeoutMs: webhook.timeoutMs,
        },
      },
      records: {
        history,
        historyRetentionMs: config.HISTORY_RETENTION_MS,
        keepsStatistics: config.STATISTICS,
      },
      outbox: {
        concurrency: config.OUTBOX_CONCURRENCY,
        ratePerSecond: config.OUTBOX_RATE_PER_SECOND,
        keyRetentionMs: config.IDEMPOTENCY_RETENTION_MS,
        paymentRetentionMs: config.PAYMENT_RETENTION_MS,
      },
      metrics,
      deadlineMs: config.PROVIDER_TIMEOUT_MS,
      access: accessOptions(config),
      replica: {
        name: replicaName,
        openChannel: await replicaChannelOf(databaseUrl, logger),
      },
      live: { recentAttempts, sandboxControls },
      logger,
      version: packageJson.version,
    });
  },
};
