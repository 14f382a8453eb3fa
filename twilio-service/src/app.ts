import { createReceiptForwarder } from 'service-kit/provider/receipts/receipt-forwarder.ts';
import type { ProviderService } from 'service-kit/provider/start-provider.ts';
import { receiptSettings, type TwilioConfig, twilioAccount, twilioConfigSchema } from './config.ts';
import { createTwilioGateway } from './twilio-gateway.ts';
import { twilioProblems } from './twilio-problems.ts';
import { registerTwilioWebhooks } from './twilio-webhooks.ts';

export const twilioService: ProviderService<TwilioConfig> = {
  provider: 'Twilio',
  configSchema: twilioConfigSchema,
  problems: twilioProblems,
  createGateway(config, options) {
    const account = twilioAccount(config);
    const { publicUrl } = receiptSettings(config) ?? {};
    return account && createTwilioGateway({ url: config.TWILIO_BASE_URL, publicUrl, ...account, ...options });
  },
  sandboxOptions: (config) => ({
    settings: {
      latency_ms: config.TWILIO_LATENCY_MS,
      failure_rate: config.TWILIO_FAILURE_RATE,
      delivery_ms: config.TWILIO_DELIVERY_MS ?? null,
    },
    ledgerFile: config.TWILIO_LEDGER_FILE,
  }),
  registerRoutes(server, config, account) {
    const receipts = receiptSettings(config);
    if (receipts) registerTwilioWebhooks(server, receipts, createReceiptForwarder(receipts), account);
  },
};
