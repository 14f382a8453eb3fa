import { accessOptions } from 'service-kit/http/access-settings.ts';
import type { Server } from 'service-kit/http/types.ts';
import { buildProviderApp, type ProviderAppOptions } from 'service-kit/provider/app.ts';
import { callTimeoutMs } from 'service-kit/provider/gateway.ts';
import { createSandbox } from 'service-kit/provider/sandbox/sandbox.ts';
import { createAldeamoGateway } from './aldeamo-gateway.ts';
import { type AldeamoConfig, aldeamoCredentials } from './config.ts';

const provider = 'Aldeamo';

/** aldeamo-service: live if there are credentials, else a sandbox. */
export function buildAldeamoApp(
  config: AldeamoConfig,
  logger: ProviderAppOptions['logger'],
  version: string,
  metrics?: ProviderAppOptions['metrics'],
): Promise<Server> {
  const options = {
    provider,
    version,
    gatewayTimeoutMs: config.GATEWAY_TIMEOUT_MS,
    sendsDatabaseUrl: config.SENDS_DATABASE_URL,
    access: accessOptions(config),
    logger,
    metrics,
  } as const;
  const credentials = aldeamoCredentials(config);
  if (credentials) {
    const gateway = createAldeamoGateway({
      ...credentials,
      url: config.ALDEAMO_BASE_URL,
      timeoutMs: callTimeoutMs(config.GATEWAY_TIMEOUT_MS),
      maxConcurrency: config.GATEWAY_MAX_CONCURRENCY,
      log: logger,
    });
    return buildProviderApp({ ...options, gateway });
  }
  const sandbox = createSandbox({
    provider,
    settings: { latency_ms: config.ALDEAMO_LATENCY_MS, failure_rate: config.ALDEAMO_FAILURE_RATE },
    ledgerFile: config.ALDEAMO_LEDGER_FILE,
  });
  return buildProviderApp({ ...options, gateway: sandbox, sandbox });
}
