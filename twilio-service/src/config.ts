import { milliseconds, serviceSettings, share } from 'service-kit/server/configuration.ts';
import { z } from 'zod';

export const configSchema = z.object({
  ...serviceSettings({ port: 8002 }),
  TWILIO_LATENCY_MS: milliseconds({ min: 0 }).default(100),
  TWILIO_FAILURE_RATE: share().default(0),
  /** Where the sandbox keeps what it accepted over a restart; only in memory if not set. */
  TWILIO_LEDGER_FILE: z.string().optional(),
  GATEWAY_TIMEOUT_MS: milliseconds().default(2500),
});
