import { accessOptions } from 'service-kit/http/access-settings.ts';
import type { Server } from 'service-kit/http/types.ts';
import { buildProviderApp, type ProviderAppOptions } from 'service-kit/provider/app.ts';
import { callTimeoutMs } from 'service-kit/provider/gateway.ts';
import { createSandbox } from 'service-kit/provider/sandbox/sandbox.ts';
import { receiptSettings, type TwilioConfig, twilioAccount } from './config.ts';
import { createReceiptHandover } from './receipt-forwarder.ts';
import { registerStatusWebhook } from './status-webhook.ts';
import { createTwilioGateway } from './twilio-gateway.ts';

const provider = 'Twilio';

/** twilio-service: live if there are credentials, else a sandbox. */
export async function buildTwilioApp(
  config: TwilioConfig,
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
  const account = twilioAccount(config);
  if (!account) {
    const sandbox = createSandbox({
      provider,
      settings: { latency_ms: config.TWILIO_LATENCY_MS, failure_rate: config.TWILIO_FAILURE_RATE },
      ledgerFile: config.TWILIO_LEDGER_FILE,
    });
    return buildProviderApp({ ...options, gateway: sandbox, sandbox });
  }
  const receipts = receiptSettings(config);
  const gateway = createTwilioGateway({
    ...account,
    publicUrl: receipts?.publicUrl,
    url: config.TWILIO_BASE_URL,
    timeoutMs: callTimeoutMs(config.GATEWAY_TIMEOUT_MS),
    maxConcurrency: config.GATEWAY_MAX_CONCURRENCY,
    log: logger,
  });
  const server = await buildProviderApp({ ...options, gateway });
  if (receipts) registerStatusWebhook(server, receipts, createReceiptHandover(receipts));
  return server;
}
