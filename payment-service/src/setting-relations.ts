type Name = Extract<keyof Values, string>;

/** The settings that depend on each other; the schema has them, among others. */
interface Values {
  PROVIDER_TIMEOUT_MS: number;
  CIRCUIT_RESET_TIMEOUT_MS: number;
  CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: number;
  CIRCUIT_ROLLING_COUNT_BUCKETS: number;
  CIRCUIT_VOLUME_THRESHOLD: number;
  STOP_TIMEOUT_MS: number;
  NOTIFICATION_LEASE_MS: number;
  NOTIFICATION_RETRY_BASE_MS: number;
  NOTIFICATION_RETRY_MAX_MS: number;
  NOTIFICATION_TTL_MS: number;
  IDEMPOTENCY_RETENTION_MS: number;
  PAYMENT_RETENTION_MS: number;
  WEBHOOK_URL?: string | undefined;
  EVENTS_RETENTION_MS: number;
  API_KEYS?: unknown;
  CLIENTS_ISOLATED: boolean;
}

/**
 * What a setting must be beside others, as the error message and docs/configuration.md word it. A relation to a setting that is
 * wrong by itself, and so is no number, is not broken.
 */
export const settingRelations: { name: Name; must: string; isBroken(value: Values): boolean }[] = [
  {
    // Otherwise a call made before the circuit opened could end in half-open and be taken for the probe.
    name: 'CIRCUIT_RESET_TIMEOUT_MS',
    must: 'must be more than PROVIDER_TIMEOUT_MS',
    isBroken: (value) => value.CIRCUIT_RESET_TIMEOUT_MS <= value.PROVIDER_TIMEOUT_MS,
  },
  {
    // Otherwise calls that end by their deadline, one after the other, leave the window before there are enough of them.
    name: 'CIRCUIT_ROLLING_COUNT_TIMEOUT_MS',
    must: 'must be at least 2 * CIRCUIT_VOLUME_THRESHOLD * PROVIDER_TIMEOUT_MS',
    isBroken: (value) =>
      value.CIRCUIT_ROLLING_COUNT_TIMEOUT_MS < 2 * value.CIRCUIT_VOLUME_THRESHOLD * value.PROVIDER_TIMEOUT_MS,
  },
  {
    name: 'CIRCUIT_ROLLING_COUNT_BUCKETS',
    must: 'must be at most CIRCUIT_ROLLING_COUNT_TIMEOUT_MS',
    isBroken: (value) => value.CIRCUIT_ROLLING_COUNT_BUCKETS > value.CIRCUIT_ROLLING_COUNT_TIMEOUT_MS,
  },
  {
    // One outbox turn makes up to three calls: a status query and two sends.
    name: 'STOP_TIMEOUT_MS',
    must: 'must be more than 3 * PROVIDER_TIMEOUT_MS',
    isBroken: (value) => value.STOP_TIMEOUT_MS <= 3 * value.PROVIDER_TIMEOUT_MS,
  },
  {
    // A lease is renewed before each send, and a status query may precede the send.
    name: 'NOTIFICATION_LEASE_MS',
    must: 'must be more than 2 * PROVIDER_TIMEOUT_MS',
    isBroken: (value) => value.NOTIFICATION_LEASE_MS <= 2 * value.PROVIDER_TIMEOUT_MS,
  },
  {
    name: 'NOTIFICATION_RETRY_MAX_MS',
    must: 'must be at least NOTIFICATION_RETRY_BASE_MS',
    isBroken: (value) => value.NOTIFICATION_RETRY_MAX_MS < value.NOTIFICATION_RETRY_BASE_MS,
  },
  {
    // Until then the text may still have to be sent, or is in a stored response.
    name: 'PAYMENT_RETENTION_MS',
    must: 'must be 0, or at least NOTIFICATION_TTL_MS and IDEMPOTENCY_RETENTION_MS',
    isBroken: (value) =>
      value.PAYMENT_RETENTION_MS > 0 &&
      value.PAYMENT_RETENTION_MS < Math.max(value.NOTIFICATION_TTL_MS, value.IDEMPOTENCY_RETENTION_MS),
  },
  {
    // Tries have three seconds to end, and what became of them is recorded after that.
    name: 'STOP_TIMEOUT_MS',
    must: 'must be more than 5000 with WEBHOOK_URL',
    isBroken: (value) => value.WEBHOOK_URL !== undefined && value.STOP_TIMEOUT_MS <= 5000,
  },
  {
    // Two days: the tries of a delivery take up to 31 hours, and what remains is to replay a dead letter.
    name: 'EVENTS_RETENTION_MS',
    must: 'must be at least 172800000 with WEBHOOK_URL',
    isBroken: (value) => value.WEBHOOK_URL !== undefined && value.EVENTS_RETENTION_MS < 172_800_000,
  },
  {
    // Otherwise it would seem to protect payments that every program can read.
    name: 'CLIENTS_ISOLATED',
    must: 'must be false without API_KEYS',
    isBroken: (value) => value.CLIENTS_ISOLATED && value.API_KEYS === undefined,
  },
];
