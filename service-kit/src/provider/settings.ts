import type { z } from 'zod';
import { wayOutSettings } from '../client/way-out-settings.ts';
import type { Provider } from '../contract/notification.ts';
import { accessSettings } from '../http/access-settings.ts';
import { milliseconds, neighbourUrl, serviceSettings, wholeNumber } from '../http/configuration.ts';
import { databasePassword, postgresUrl } from '../postgres/database-settings.ts';

/** The environment variables of every provider service. */
export const providerSettings = ({ port }: { port: number }) => ({
  ...serviceSettings({ port }),
  ...accessSettings(),
  PAYMENT_SERVICE_URL: neighbourUrl().describe(
    'The address of payment-service, which receives the delivery receipts and the opt-outs. It follows HOST unless it is set.',
  ),
  GATEWAY_TIMEOUT_MS: milliseconds()
    .default(2500)
    .describe(
      'The deadline for a response to payment-service. Keep it below PROVIDER_TIMEOUT_MS, so that the response arrives in time and carries an outcome.',
    ),
  GATEWAY_MAX_CONCURRENCY: wholeNumber({ min: 1, max: 10_000 })
    .default(256)
    .describe("Live only: the limit of concurrent calls to the provider's API."),
  ...wayOutSettings(),
  SENDS_DATABASE_URL: postgresUrl()
    .optional()
    .describe(
      'The database of the idempotency store that the replicas of a provider service share. Without it the store is in memory. docker-compose.scale.yml sets it.',
    )
    .meta({ secret: true }),
  SENDS_DATABASE_PASSWORD: databasePassword('SENDS_DATABASE_URL'),
});

/** How long after it accepted an SMS a sandbox delivers it; up to what its controls take. */
export const deliveryMs = (provider: Provider) =>
  wholeNumber({ min: 0, max: 600_000 })
    .optional()
    .describe(
      `How long after it accepted an SMS the sandbox of ${provider} reports that it was delivered. Without it the sandbox reports nothing; npm start and docker compose set 1500.`,
    );

export type ProviderConfig = z.infer<z.ZodObject<ReturnType<typeof providerSettings>>>;
