import process from 'node:process';
import { buildProviderApp } from 'service-kit/provider/app.ts';
import { createSandbox } from 'service-kit/provider/sandbox.ts';
import { startService } from 'service-kit/server/start.ts';
import packageJson from '../package.json' with { type: 'json' };
import { configSchema } from './config.ts';

const provider = 'Aldeamo';

await startService({
  name: packageJson.name,
  process,
  configSchema,
  build: async (config, logger) => {
    const sandbox = createSandbox({
      provider,
      settings: { latency_ms: config.ALDEAMO_LATENCY_MS, failure_rate: config.ALDEAMO_FAILURE_RATE },
      ledgerFile: config.ALDEAMO_LEDGER_FILE,
    });
    return buildProviderApp({
      provider,
      version: packageJson.version,
      gateway: sandbox,
      sandbox,
      gatewayTimeoutMs: config.GATEWAY_TIMEOUT_MS,
      logger,
    });
  },
});
