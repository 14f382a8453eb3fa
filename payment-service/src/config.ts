import { countrySchema } from 'service-kit/contract/phone.ts';
import { accessSettings, clientSettings, wrongCredentials } from 'service-kit/http/access-settings.ts';
import {
  flag,
  followHost,
  milliseconds,
  neighbourUrl,
  serviceSettings,
  wholeNumber,
} from 'service-kit/http/configuration.ts';
import { z } from 'zod';
import { databaseUrl } from './database-url.ts';
import type { RetryPolicy } from './domain/retry-policy.ts';
import type { RequestRules } from './http/payment-request.ts';
import { type CircuitBreakerParameters, circuitBreakerDefaults } from './providers/circuit-breaker.ts';

export const paymentConfigSchema = z
  .object({
    ...serviceSettings({ port: 8000 }),
    ...accessSettings(),
    ...clientSettings(),
    ALDEAMO_SERVICE_URL: neighbourUrl(),
    TWILIO_SERVICE_URL: neighbourUrl(),
    /** The name of this process among its replicas; the host's name if not set. */
    REPLICA_NAME: z.string().max(100, 'must have at most 100 characters').optional(),
    DATABASE_URL: databaseUrl().default('file:./data/payments.db'),
    /** The deadline of one call to a provider service. */
    PROVIDER_TIMEOUT_MS: milliseconds().default(3000),
    /** The limit of concurrent calls to one provider service. */
    PROVIDER_MAX_CONCURRENCY: wholeNumber({ min: 1, max: 10_000 }).default(256),
    CIRCUIT_ERROR_THRESHOLD_PERCENTAGE: wholeNumber({ min: 1, max: 99 }).default(
      circuitBreakerDefaults.errorThresholdPercentage,
    ),
    CIRCUIT_VOLUME_THRESHOLD: wholeNumber({ min: 1, max: 1_000_000 }).default(
      circuitBreakerDefaults.volumeThreshold,
    ),
    CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: milliseconds().default(circuitBreakerDefaults.rollingCountTimeout),
    CIRCUIT_ROLLING_COUNT_BUCKETS: wholeNumber({ min: 1, max: 1000 }).default(
      circuitBreakerDefaults.rollingCountBuckets,
    ),
    CIRCUIT_RESET_TIMEOUT_MS: milliseconds().default(circuitBreakerDefaults.resetTimeout),
    CIRCUIT_CONSECUTIVE_FAILURES: wholeNumber({ min: 1, max: 1_000_000 }).default(
      circuitBreakerDefaults.consecutiveFailures,
    ),
    /** The first retry comes within this time; the time doubles with each retry, up to the maximum. */
    NOTIFICATION_RETRY_BASE_MS: milliseconds().default(5000),
    NOTIFICATION_RETRY_MAX_MS: milliseconds().default(900_000),
    /** The time after the payment at which its notification expires. */
    NOTIFICATION_TTL_MS: milliseconds().default(86_400_000),
    /** The lease of a claimed notification. After it another worker may claim the notification. */
    NOTIFICATION_LEASE_MS: milliseconds().default(15_000),
    UNKNOWN_OUTCOME: z.enum(['resend', 'hold']).default('resend'),
    OUTBOX_CONCURRENCY: wholeNumber({ min: 1, max: 1000 }).default(16),
    OUTBOX_RATE_PER_SECOND: wholeNumber({ min: 10, max: 10_000 }).default(100),
    /** The country of phones without a calling code. */
    DEFAULT_COUNTRY: countrySchema.default('CO'),
    SMS_TRANSLITERATE: flag().default(false),
    /** The default allows the longest message: 1600 characters of GSM-7 are 11 SMS. */
    SMS_MAX_SEGMENTS: wholeNumber({ min: 1, max: 100 }).default(11),
    IDEMPOTENCY_RETENTION_MS: milliseconds().default(86_400_000),
    /** The time after the payment at which its text and phone are redacted, up to ten years; 0: never. */
    PAYMENT_RETENTION_MS: wholeNumber({ min: 0, max: 315_576_000_000 }).default(0),
  })
  .check(({ value, issues }) => {
    issues.push(...wrongCredentials(value, ['API_KEYS', 'ADMIN_API_KEY', 'SERVICE_TOKEN']));
    const wrong = (name: keyof typeof value, message: string) =>
      issues.push({ code: 'custom', path: [name], message, input: value[name] });
    // Otherwise a call made before the circuit opened could end in half-open and be taken for the probe.
    if (value.PROVIDER_TIMEOUT_MS >= value.CIRCUIT_RESET_TIMEOUT_MS)
      wrong('CIRCUIT_RESET_TIMEOUT_MS', 'must be more than PROVIDER_TIMEOUT_MS');
    // Otherwise calls that end by their deadline, one after the other, leave the window before there are enough of them.
    if (
      value.CIRCUIT_ROLLING_COUNT_TIMEOUT_MS <
      2 * value.CIRCUIT_VOLUME_THRESHOLD * value.PROVIDER_TIMEOUT_MS
    )
      wrong(
        'CIRCUIT_ROLLING_COUNT_TIMEOUT_MS',
        'must be at least 2 * CIRCUIT_VOLUME_THRESHOLD * PROVIDER_TIMEOUT_MS',
      );
    // One outbox turn makes up to three calls: a status query and two sends.
    if (value.STOP_TIMEOUT_MS <= 3 * value.PROVIDER_TIMEOUT_MS)
      wrong('STOP_TIMEOUT_MS', 'must be more than 3 * PROVIDER_TIMEOUT_MS');
    // A lease is renewed before each send, and a status query may precede the send.
    if (value.NOTIFICATION_LEASE_MS <= 2 * value.PROVIDER_TIMEOUT_MS)
      wrong('NOTIFICATION_LEASE_MS', 'must be more than 2 * PROVIDER_TIMEOUT_MS');
    if (value.NOTIFICATION_RETRY_MAX_MS < value.NOTIFICATION_RETRY_BASE_MS)
      wrong('NOTIFICATION_RETRY_MAX_MS', 'must be at least NOTIFICATION_RETRY_BASE_MS');
    // Until then the text may still have to be sent, or is in a stored response.
    const needed = Math.max(value.NOTIFICATION_TTL_MS, value.IDEMPOTENCY_RETENTION_MS);
    if (value.PAYMENT_RETENTION_MS > 0 && value.PAYMENT_RETENTION_MS < needed)
      wrong(
        'PAYMENT_RETENTION_MS',
        'must be 0, or at least NOTIFICATION_TTL_MS and IDEMPOTENCY_RETENTION_MS',
      );
    if (value.CIRCUIT_ROLLING_COUNT_TIMEOUT_MS < value.CIRCUIT_ROLLING_COUNT_BUCKETS)
      wrong('CIRCUIT_ROLLING_COUNT_BUCKETS', 'must be at most CIRCUIT_ROLLING_COUNT_TIMEOUT_MS');
  })
  .overwrite((value) => followHost(value, { ALDEAMO_SERVICE_URL: 8001, TWILIO_SERVICE_URL: 8002 }));
export type PaymentConfig = z.infer<typeof paymentConfigSchema>;

export function circuitBreakerParameters(config: PaymentConfig): CircuitBreakerParameters {
  return {
    errorThresholdPercentage: config.CIRCUIT_ERROR_THRESHOLD_PERCENTAGE,
    volumeThreshold: config.CIRCUIT_VOLUME_THRESHOLD,
    rollingCountTimeout: config.CIRCUIT_ROLLING_COUNT_TIMEOUT_MS,
    rollingCountBuckets: config.CIRCUIT_ROLLING_COUNT_BUCKETS,
    resetTimeout: config.CIRCUIT_RESET_TIMEOUT_MS,
    consecutiveFailures: config.CIRCUIT_CONSECUTIVE_FAILURES,
  };
}

export function requestRules(config: PaymentConfig): RequestRules {
  return {
    defaultCountry: config.DEFAULT_COUNTRY,
    transliterate: config.SMS_TRANSLITERATE,
    maxSegments: config.SMS_MAX_SEGMENTS,
  };
}

export function retryPolicy(config: PaymentConfig): RetryPolicy {
  return {
    baseMs: config.NOTIFICATION_RETRY_BASE_MS,
    maxMs: config.NOTIFICATION_RETRY_MAX_MS,
    ttlMs: config.NOTIFICATION_TTL_MS,
    unknownOutcome: config.UNKNOWN_OUTCOME,
    patienceMs: config.NOTIFICATION_LEASE_MS,
  };
}
