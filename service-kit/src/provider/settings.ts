import type { z } from 'zod';
import { accessSettings } from '../http/access-settings.ts';
import { milliseconds, serviceSettings, wholeNumber } from '../http/configuration.ts';
import { databasePassword, postgresUrl } from '../postgres/database-settings.ts';
import { wayOutSettings } from './way-out-settings.ts';

/** The environment variables of every provider service. */
export const providerSettings = ({ port }: { port: number }) => ({
  ...serviceSettings({ port }),
  ...accessSettings(),
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

export type ProviderConfig = z.infer<z.ZodObject<ReturnType<typeof providerSettings>>>;
