import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { aldeamoService } from '../aldeamo-service/src/app.ts';
import { paymentService } from '../payment-service/src/service.ts';
import { readConfiguration } from '../service-kit/src/http/configuration.ts';
import { createLogger } from '../service-kit/src/http/start.ts';
import type { Server } from '../service-kit/src/http/types.ts';
import type { ProviderConfig } from '../service-kit/src/provider/settings.ts';
import { buildProvider, type ProviderService } from '../service-kit/src/provider/start-provider.ts';
import { twilioService } from '../twilio-service/src/app.ts';

const logger = createLogger({ level: 'silent' }, { write: () => {} });

/** A Twilio that is never called: only a live service with receipts has the routes of its webhooks. */
const liveTwilio = {
  TWILIO_BASE_URL: 'http://127.0.0.1:9',
  TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
  TWILIO_AUTH_TOKEN: '0123456789abcdef'.repeat(2),
  TWILIO_FROM: '+15005550006',
  PUBLIC_URL: 'https://sms.example.com',
};

/** The /openapi.json of each service, by the name of the service. Nothing listens. */
export async function openApiDocuments(): Promise<Record<string, object>> {
  return {
    'payment-service': await ofPayments(),
    'aldeamo-service': await ofProvider(aldeamoService),
    'twilio-service': await ofProvider(twilioService),
    'twilio-service-live': await ofProvider(twilioService, liveTwilio),
  };
}

async function ofPayments(): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), 'openapi-'));
  try {
    const config = readConfiguration(paymentService.configSchema, {
      DATABASE_URL: `file:${folder}/payments.db`,
    });
    return await documentOf(await paymentService.build(config, logger, new Registry()));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function ofProvider<Config extends ProviderConfig>(
  service: ProviderService<Config>,
  env: Record<string, string> = {},
): Promise<object> {
  const config = readConfiguration(service.configSchema, env);
  return documentOf(await buildProvider(service, config, { logger, version: '0.1.0' }));
}

async function documentOf(server: Server): Promise<object> {
  try {
    await server.ready();
    return server.swagger();
  } finally {
    await server.close();
  }
}
