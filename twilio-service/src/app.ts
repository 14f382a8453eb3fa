import type { ProviderService } from 'service-kit/provider/start-provider.ts';
import { receiptSettings, type TwilioConfig, twilioAccount, twilioConfigSchema } from './config.ts';
import { createReceiptForwarder } from './receipt-forwarder.ts';
import { registerStatusWebhook } from './status-webhook.ts';
import { createTwilioGateway } from './twilio-gateway.ts';

export const twilioService: ProviderService<TwilioConfig> = {
  provider: 'Twilio',
  configSchema: twilioConfigSchema,
  createGateway(config, options) {
    const account = twilioAccount(config);
    const { publicUrl } = receiptSettings(config) ?? {};
    return account && createTwilioGateway({ url: config.TWILIO_BASE_URL, publicUrl, ...account, ...options });
  },
  sandboxOptions: (config) => ({
    settings: { latency_ms: config.TWILIO_LATENCY_MS, failure_rate: config.TWILIO_FAILURE_RATE },
    ledgerFile: config.TWILIO_LEDGER_FILE,
  }),
  hasReceipts: (config) => receiptSettings(config) !== undefined,
  registerRoutes(server, config, account) {
    const receipts = receiptSettings(config);
    if (receipts) registerStatusWebhook(server, receipts, createReceiptForwarder(receipts), account);
  },
};
