import type { ProviderService } from 'service-kit/provider/start-provider.ts';
import { createAldeamoGateway } from './aldeamo-gateway.ts';
import { type AldeamoConfig, aldeamoConfigSchema, aldeamoCredentials } from './config.ts';

export const aldeamoService: ProviderService<AldeamoConfig> = {
  provider: 'Aldeamo',
  configSchema: aldeamoConfigSchema,
  createGateway(config, options) {
    const credentials = aldeamoCredentials(config);
    return credentials && createAldeamoGateway({ url: config.ALDEAMO_BASE_URL, ...credentials, ...options });
  },
  sandboxOptions: (config) => ({
    settings: {
      latency_ms: config.ALDEAMO_LATENCY_MS,
      failure_rate: config.ALDEAMO_FAILURE_RATE,
      delivery_ms: config.ALDEAMO_DELIVERY_MS ?? null,
    },
    ledgerFile: config.ALDEAMO_LEDGER_FILE,
  }),
};
