import process from 'node:process';
import { startService } from 'service-kit/server/start.ts';
import packageJson from '../package.json' with { type: 'json' };
import { buildApp } from './app.ts';
import { circuitBreakerParameters, configSchema } from './config.ts';
import { createNotifier } from './notifier.ts';
import { createProviderClient } from './provider-client.ts';
import { openSqliteStore } from './store/sqlite-store.ts';

await startService({
  name: packageJson.name,
  process,
  configSchema,
  build: async (config, logger) => {
    const limits = { timeoutMs: config.PROVIDER_TIMEOUT_MS, maxConcurrency: config.PROVIDER_MAX_CONCURRENCY };
    const notifier = createNotifier({
      clients: {
        Aldeamo: createProviderClient({ provider: 'Aldeamo', url: config.ALDEAMO_SERVICE_URL, ...limits }),
        Twilio: createProviderClient({ provider: 'Twilio', url: config.TWILIO_SERVICE_URL, ...limits }),
      },
      parameters: circuitBreakerParameters(config),
      log: logger,
    });
    return buildApp({
      store: openSqliteStore(config.DATABASE_URL.slice('file:'.length)),
      notifier,
      logger,
      version: packageJson.version,
    });
  },
});
