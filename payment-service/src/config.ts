import { countriesSchema, countrySchema } from 'service-kit/contract/phone.ts';
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
import { databaseSettings, wrongDatabase } from './database-url.ts';
import type { BoundsSettings } from './delivery/bounds.ts';
import type { RetryPolicy } from './domain/retry-policy.ts';
import type { RequestRules } from './http/payment-request.ts';
import { isolationSettings } from './isolation-settings.ts';
import { recordSettings } from './operations/record-settings.ts';
import { type CircuitBreakerParameters, circuitBreakerDefaults } from './providers/circuit-breaker.ts';
import { settingRelations } from './setting-relations.ts';
import { webhookSettings, wrongWebhooks } from './webhooks/webhook-settings.ts';

export const paymentConfigSchema = z
  .object({
    ...serviceSettings({ port: 8000 }),
    ...accessSettings(),
    ...clientSettings(),
    ...isolationSettings(),
    ALDEAMO_SERVICE_URL: neighbourUrl().describe(
      'The address of aldeamo-service. It follows HOST unless it is set.',
    ),
    TWILIO_SERVICE_URL: neighbourUrl().describe(
      'The address of twilio-service. It follows HOST unless it is set.',
    ),
    REPLICA_NAME: z
      .string()
      .max(100, 'must have at most 100 characters')
      .meta({ form: 'at most 100 characters' })
      .optional()
      .describe(
        'The name of this process among its replicas, by default the name of its host. docker compose does not pass it on, because all replicas would get the same name.',
      ),
    ...databaseSettings(),
    PROVIDER_TIMEOUT_MS: milliseconds()
      .default(3000)
      .describe('The deadline of one call to a provider service.'),
    PROVIDER_MAX_CONCURRENCY: wholeNumber({ min: 1, max: 10_000 })
      .default(256)
      .describe(
        'The limit of concurrent calls to one provider service. Further SMS go to the other provider.',
      ),
    CIRCUIT_ERROR_THRESHOLD_PERCENTAGE: wholeNumber({ min: 1, max: 99 })
      .default(circuitBreakerDefaults.errorThresholdPercentage)
      .describe(
        'The circuit opens when more than this percentage of the calls that ended in the window failed, and at least CIRCUIT_VOLUME_THRESHOLD calls are in it.',
      ),
    CIRCUIT_VOLUME_THRESHOLD: wholeNumber({ min: 1, max: 1_000_000 })
      .default(circuitBreakerDefaults.volumeThreshold)
      .describe('The minimum number of calls in the window for the percentage to apply.'),
    CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: milliseconds()
      .default(circuitBreakerDefaults.rollingCountTimeout)
      .describe('The length of the rolling window.'),
    CIRCUIT_ROLLING_COUNT_BUCKETS: wholeNumber({ min: 1, max: 1000 })
      .default(circuitBreakerDefaults.rollingCountBuckets)
      .describe('The number of steps in which the window rolls.'),
    CIRCUIT_CONSECUTIVE_FAILURES: wholeNumber({ min: 1, max: 1_000_000 })
      .default(circuitBreakerDefaults.consecutiveFailures)
      .describe(
        'This many failures in a row open the circuit as well, if they have lasted a second or fewer than 20 calls are in the window.',
      ),
    CIRCUIT_RESET_TIMEOUT_MS: milliseconds()
      .default(circuitBreakerDefaults.resetTimeout)
      .describe('How long a circuit stays open before a probe checks whether the provider is healthy again.'),
    NOTIFICATION_RETRY_BASE_MS: milliseconds()
      .default(5000)
      .describe(
        'The first retry of a notification comes within this time. The time doubles with each retry, up to the maximum.',
      ),
    NOTIFICATION_RETRY_MAX_MS: milliseconds()
      .default(900_000)
      .describe(
        'The maximum time until a retry. If a provider asks for a longer pause, the notification is checked again after this time. Values below 1000 count as 1000.',
      ),
    NOTIFICATION_TTL_MS: milliseconds()
      .default(86_400_000)
      .describe(
        'How long after the payment its notification expires, and is no longer retried; also the limit of `ttl_seconds` of a payment.',
      ),
    NOTIFICATION_LEASE_MS: milliseconds()
      .default(15_000)
      .describe(
        'The lease of a claimed notification, renewed before each send. When it expires, another worker may claim the notification. It is also the time for which a provider service is asked again if it cannot report the outcome of an attempt. After that UNKNOWN_OUTCOME applies.',
      ),
    UNKNOWN_OUTCOME: z
      .enum(['resend', 'hold'])
      .default('resend')
      .describe(
        'What happens after an attempt with an unknown outcome: resend sends the SMS again, at the risk of a second one; hold keeps the notification until an operator retries it.',
      ),
    UNDELIVERED_POLICY: z
      .enum(['resend', 'fail'])
      .default('resend')
      .describe(
        'What happens after a receipt that the SMS did not reach the handset: resend sends it once through the other provider, at the risk of a second one; fail ends the notification. An SMS that was certainly not sent goes to the other provider in any case.',
      ),
    RECEIPT_TIMEOUT_MS: milliseconds({ min: 1000 })
      .default(600_000)
      .describe(
        'After this time without a receipt a provider is asked what became of the SMS, if it has receipts; one that reports nothing by itself is asked after a twentieth of it.',
      ),
    OUTBOX_CONCURRENCY: wholeNumber({ min: 1, max: 1000 })
      .default(16)
      .describe('The limit of concurrent retries, so that a backlog leaves room for new payments.'),
    OUTBOX_RATE_PER_SECOND: wholeNumber({ min: 10, max: 10_000 })
      .default(100)
      .describe('The limit of retries that begin in a second.'),
    ALLOW_MIXED_MODES: flag()
      .default(false)
      .describe(
        'For tests only. Without it, a sandbox accepts no SMS once a provider was seen live, and the notification waits. true lets it: such a notification is sent on record, and nothing goes out.',
      ),
    DEFAULT_COUNTRY: countrySchema
      .meta({ form: 'an ISO 3166 country code' })
      .default('CO')
      .describe('The country of phones without a calling code.'),
    ALLOWED_COUNTRIES: countriesSchema
      .meta({ form: 'ISO 3166 country codes: CO,EC' })
      .optional()
      .describe(
        'The countries to whose phones SMS are sent; others wait. Without it they are DEFAULT_COUNTRY, if a provider is live, else all. Premium-rate, satellite and international numbers are of none.',
      ),
    MAX_SMS_PER_DAY: wholeNumber({ min: 0, max: 100_000_000 })
      .default(0)
      .describe(
        'The limit of SMS that are offered to live providers in a UTC day, by all replicas together; more wait for the next day. A long text is several SMS, and each attempt counts. 0: no limit.',
      ),
    MAX_SMS_PER_RECIPIENT_PER_HOUR: wholeNumber({ min: 0, max: 1_000_000 })
      .default(0)
      .describe(
        'The limit of SMS that are offered to live providers for one phone in an hour by the clock, UTC; more wait for the next hour. Counted as those of MAX_SMS_PER_DAY. 0: no limit.',
      ),
    SMS_TRANSLITERATE: flag()
      .default(false)
      .describe(
        'true writes texts in GSM-7 as far as possible (a for á, - for any dash, no invisible characters), so that they take fewer SMS.',
      ),
    SMS_MAX_SEGMENTS: wholeNumber({ min: 1, max: 100 })
      .default(11)
      .describe(
        'The maximum number of SMS that one text may take. The default allows the longest text: 1600 GSM-7 characters take 11.',
      ),
    IDEMPOTENCY_RETENTION_MS: milliseconds()
      .default(86_400_000)
      .describe('How long the response to an Idempotency-Key is kept.'),
    PAYMENT_RETENTION_MS: wholeNumber({ min: 0, max: 315_576_000_000 })
      .default(0)
      .describe('How long after the payment its text and phone are redacted, up to ten years. 0: never.'),
    ...webhookSettings(),
    ...recordSettings(),
  })
  .check(({ value, issues }) => {
    issues.push(...wrongCredentials(value, ['API_KEYS', 'ADMIN_API_KEY', 'SERVICE_TOKEN']));
    issues.push(...wrongDatabase(value));
    issues.push(...wrongWebhooks(value));
    for (const { name, must, isBroken } of settingRelations)
      if (isBroken(value)) issues.push({ code: 'custom', path: [name], message: must, input: value[name] });
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

export function boundsSettings(config: PaymentConfig): BoundsSettings {
  return {
    allowedCountries: config.ALLOWED_COUNTRIES,
    defaultCountry: config.DEFAULT_COUNTRY,
    maxPerDay: config.MAX_SMS_PER_DAY,
    maxPerRecipientPerHour: config.MAX_SMS_PER_RECIPIENT_PER_HOUR,
  };
}

export function requestRules(config: PaymentConfig): RequestRules {
  return {
    defaultCountry: config.DEFAULT_COUNTRY,
    transliterate: config.SMS_TRANSLITERATE,
    maxSegments: config.SMS_MAX_SEGMENTS,
    maxTtlSeconds: Math.max(1, Math.floor(config.NOTIFICATION_TTL_MS / 1000)),
  };
}

export function retryPolicy(config: PaymentConfig): RetryPolicy {
  return {
    baseMs: config.NOTIFICATION_RETRY_BASE_MS,
    maxMs: config.NOTIFICATION_RETRY_MAX_MS,
    ttlMs: config.NOTIFICATION_TTL_MS,
    unknownOutcome: config.UNKNOWN_OUTCOME,
    undelivered: config.UNDELIVERED_POLICY,
    receiptTimeoutMs: config.RECEIPT_TIMEOUT_MS,
    patienceMs: config.NOTIFICATION_LEASE_MS,
  };
}
