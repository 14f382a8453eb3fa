import type { z } from 'zod';
import { accessSettings } from '../http/access-settings.ts';
import { milliseconds, postgresUrl, serviceSettings, wholeNumber } from '../http/configuration.ts';

/** The environment variables of every provider service. */
export const providerSettings = ({ port }: { port: number }) => ({
  ...serviceSettings({ port }),
  ...accessSettings(),
  /** The deadline of an answer; below payment-service's PROVIDER_TIMEOUT_MS, so that it arrives and carries an outcome. */
  GATEWAY_TIMEOUT_MS: milliseconds().default(2500),
  /** Live: concurrent calls to the provider's API. */
  GATEWAY_MAX_CONCURRENCY: wholeNumber({ min: 1, max: 10_000 }).default(256),
  /** The database of the idempotency store that replicas share; a store in memory if not set. */
  SENDS_DATABASE_URL: postgresUrl().optional(),
});

export type ProviderConfig = z.infer<z.ZodObject<ReturnType<typeof providerSettings>>>;
