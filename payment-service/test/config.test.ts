import { readFileSync } from 'node:fs';
import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { fileSetting, secretsOf } from 'service-kit/http/secret-files.ts';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { aldeamoConfigSchema } from '../../aldeamo-service/src/config.ts';
import { documentedSettings } from '../../scripts/documented-settings.ts';
import { settingPages } from '../../scripts/setting-pages.ts';
import { twilioConfigSchema } from '../../twilio-service/src/config.ts';
import { boundsSettings, circuitBreakerParameters, paymentConfigSchema, retryPolicy } from '../src/config.ts';
import { circuitBreakerDefaults } from '../src/providers/circuit-breaker.ts';

const read = (env: Record<string, string>) => readConfiguration(paymentConfigSchema, env);

describe('the configuration of the circuit breaker', () => {
  test('given no variable, has the defaults of the breaker', () => {
    expect(circuitBreakerParameters(read({}))).toEqual(circuitBreakerDefaults);
  });

  test('takes each parameter from its variable', () => {
    const config = read({
      CIRCUIT_ERROR_THRESHOLD_PERCENTAGE: '60',
      CIRCUIT_VOLUME_THRESHOLD: '4',
      CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '40000',
      CIRCUIT_ROLLING_COUNT_BUCKETS: '8',
      CIRCUIT_RESET_TIMEOUT_MS: '5000',
      CIRCUIT_CONSECUTIVE_FAILURES: '2',
    });
    expect(circuitBreakerParameters(config)).toEqual({
      errorThresholdPercentage: 60,
      volumeThreshold: 4,
      rollingCountTimeout: 40_000,
      rollingCountBuckets: 8,
      resetTimeout: 5000,
      consecutiveFailures: 2,
    });
  });
});

describe('a wrong configuration', () => {
  const linesOf = (schema: Parameters<typeof readConfiguration>[0], env: Record<string, string>) => {
    try {
      readConfiguration(schema, env);
    } catch (error) {
      return (error as Error).message.trim().split('\n').slice(1).sort();
    }
    return [];
  };

  test('names what is wrong between settings beside those that are wrong alone', () => {
    const env = {
      PORT: 'x',
      HOST: '0.0.0.0',
      PROVIDER_TIMEOUT_MS: '9000',
      NOTIFICATION_RETRY_BASE_MS: '900001',
    };
    expect(linesOf(paymentConfigSchema, env)).toEqual([
      '  ADMIN_API_KEY: is required because HOST is not a loopback address, unless ALLOW_ANONYMOUS=true',
      '  API_KEYS: is required because HOST is not a loopback address, unless ALLOW_ANONYMOUS=true',
      '  CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: must be at least 2 * CIRCUIT_VOLUME_THRESHOLD * PROVIDER_TIMEOUT_MS',
      '  NOTIFICATION_LEASE_MS: must be more than 2 * PROVIDER_TIMEOUT_MS',
      '  NOTIFICATION_RETRY_MAX_MS: must be at least NOTIFICATION_RETRY_BASE_MS',
      '  PORT: must be a whole number',
      '  SERVICE_TOKEN: is required because HOST is not a loopback address, unless ALLOW_ANONYMOUS=true',
      '  STOP_TIMEOUT_MS: must be more than 3 * PROVIDER_TIMEOUT_MS',
    ]);
    expect(linesOf(aldeamoConfigSchema, { PORT: 'x', ALDEAMO_USERNAME: 'u' })).toEqual([
      '  ALDEAMO_PASSWORD: is required with ALDEAMO_USERNAME',
      '  PORT: must be a whole number',
    ]);
  });

  test('asks for no keys for a HOST that is wrong', () => {
    expect(linesOf(paymentConfigSchema, { HOST: 'http://localhost' })).toEqual([
      '  HOST: must be an address or a host name',
    ]);
  });

  test('compares nothing with a setting that is wrong alone', () => {
    expect(linesOf(paymentConfigSchema, { PROVIDER_TIMEOUT_MS: 'x', CIRCUIT_RESET_TIMEOUT_MS: '1' })).toEqual(
      ['  PROVIDER_TIMEOUT_MS: must be a whole number'],
    );
    expect(linesOf(paymentConfigSchema, { HOST: 'a b', ADMIN_API_KEY: 'short' })).toEqual([
      '  ADMIN_API_KEY: must have at least 16 characters',
      '  HOST: must be an address or a host name',
    ]);
  });
});

describe('the configuration of the retry policy', () => {
  test('given no variable, is that of docs/delivery.md', () => {
    expect(retryPolicy(read({}))).toEqual({
      baseMs: 5000,
      maxMs: 900_000,
      ttlMs: 24 * 60 * 60 * 1000,
      unknownOutcome: 'resend',
      patienceMs: 15_000,
      undelivered: 'resend',
      receiptTimeoutMs: 600_000,
    });
  });

  test('takes each value from its variable', () => {
    const config = read({
      NOTIFICATION_RETRY_BASE_MS: '100',
      NOTIFICATION_RETRY_MAX_MS: '200',
      NOTIFICATION_TTL_MS: '300',
      UNKNOWN_OUTCOME: 'hold',
      NOTIFICATION_LEASE_MS: '9000',
    });
    expect(retryPolicy(config)).toEqual({
      baseMs: 100,
      maxMs: 200,
      ttlMs: 300,
      unknownOutcome: 'hold',
      patienceMs: 9000,
      undelivered: 'resend',
      receiptTimeoutMs: 600_000,
    });
  });
});

describe('the configuration, given values that depend on each other', () => {
  test.each<[string, Record<string, string>]>([
    ['an open time longer than the deadline', { CIRCUIT_RESET_TIMEOUT_MS: '3001' }],
    [
      'a deadline shorter than the open time',
      { PROVIDER_TIMEOUT_MS: '2999', CIRCUIT_RESET_TIMEOUT_MS: '3000' },
    ],
    [
      'a window of twice the deadlines of as many calls as are counted',
      {
        PROVIDER_TIMEOUT_MS: '1000',
        CIRCUIT_VOLUME_THRESHOLD: '7',
        CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '14000',
      },
    ],
    [
      'as many slices as the window has milliseconds',
      {
        PROVIDER_TIMEOUT_MS: '1',
        CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '10',
        CIRCUIT_ROLLING_COUNT_BUCKETS: '10',
      },
    ],
    ['a retention of ten years', { PAYMENT_RETENTION_MS: '315576000000' }],
    ['a lease of more than two deadlines', { NOTIFICATION_LEASE_MS: '6001' }],
    [
      'a longest wait that is the first one',
      { NOTIFICATION_RETRY_BASE_MS: '7000', NOTIFICATION_RETRY_MAX_MS: '7000' },
    ],
  ])('accepts %s', (_name, env) => {
    expect(() => read(env)).not.toThrow();
  });

  test.each<[Record<string, string>, string]>([
    [{ CIRCUIT_RESET_TIMEOUT_MS: '3000' }, 'CIRCUIT_RESET_TIMEOUT_MS: must be more than PROVIDER_TIMEOUT_MS'],
    [{ STOP_TIMEOUT_MS: '9000' }, 'STOP_TIMEOUT_MS: must be more than 3 * PROVIDER_TIMEOUT_MS'],
    [
      {
        PROVIDER_TIMEOUT_MS: '15000',
        CIRCUIT_VOLUME_THRESHOLD: '1',
        NOTIFICATION_LEASE_MS: '30001',
        STOP_TIMEOUT_MS: '45001',
      },
      'CIRCUIT_RESET_TIMEOUT_MS: must be more than PROVIDER_TIMEOUT_MS',
    ],
    [
      { CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '29999' },
      'CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: must be at least 2 * CIRCUIT_VOLUME_THRESHOLD * PROVIDER_TIMEOUT_MS',
    ],
    [
      { CIRCUIT_VOLUME_THRESHOLD: '6' },
      'CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: must be at least 2 * CIRCUIT_VOLUME_THRESHOLD * PROVIDER_TIMEOUT_MS',
    ],
    [
      {
        PROVIDER_TIMEOUT_MS: '1',
        CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '10',
        CIRCUIT_ROLLING_COUNT_BUCKETS: '11',
      },
      'CIRCUIT_ROLLING_COUNT_BUCKETS: must be at most CIRCUIT_ROLLING_COUNT_TIMEOUT_MS',
    ],
    [{ NOTIFICATION_LEASE_MS: '6000' }, 'NOTIFICATION_LEASE_MS: must be more than 2 * PROVIDER_TIMEOUT_MS'],
    [
      { PAYMENT_RETENTION_MS: '86399999' },
      'PAYMENT_RETENTION_MS: must be 0, or at least NOTIFICATION_TTL_MS and IDEMPOTENCY_RETENTION_MS',
    ],
    [
      { PAYMENT_RETENTION_MS: '86400000', IDEMPOTENCY_RETENTION_MS: '86400001' },
      'PAYMENT_RETENTION_MS: must be 0, or at least NOTIFICATION_TTL_MS and IDEMPOTENCY_RETENTION_MS',
    ],
    [
      { NOTIFICATION_RETRY_BASE_MS: '900001' },
      'NOTIFICATION_RETRY_MAX_MS: must be at least NOTIFICATION_RETRY_BASE_MS',
    ],
  ])('rejects %j', (env, line) => {
    expect(messageOf(env)).toBe(`The configuration is invalid:\n  ${line}`);
  });

  test('names all mistakes at once', () => {
    expect(messageOf({ CIRCUIT_RESET_TIMEOUT_MS: '1', CIRCUIT_ROLLING_COUNT_TIMEOUT_MS: '9' })).toMatch(
      /RESET_TIMEOUT_MS: .*\n.*COUNT_TIMEOUT_MS: .*\n.*COUNT_BUCKETS: /,
    );
  });
});

const fileRule = 'must name a file, not a folder or :memory:, and have no query (?)';
const databaseRule = 'must be file: and a path, or a postgres:// URL with a database';

test.each([
  ['DATABASE_URL', 'payments.db', databaseRule],
  ['DATABASE_URL', 'file:', databaseRule],
  ['DATABASE_URL', 'file::memory:', fileRule],
  ['DATABASE_URL', 'file:./payments.db?mode=memory', fileRule],
  ['DATABASE_URL', 'file:/data/payments.db?', fileRule],
  ['DATABASE_URL', 'file:file:payments.db', fileRule],
  ['DATABASE_URL', 'file:./payments/', fileRule],
  ['DATABASE_URL', 'file:..', fileRule],
  ['DATABASE_URL', 'file:/tmp', fileRule],
  ['DATABASE_URL', 'postgres://host', databaseRule],
  ['DATABASE_URL', 'mysql://host/payments', databaseRule],
  ['ALDEAMO_SERVICE_URL', 'aldeamo:8001', 'must be an http:// or https:// URL'],
  ['TWILIO_SERVICE_URL', 'ftp://twilio', 'must be an http:// or https:// URL'],
  ['CIRCUIT_ERROR_THRESHOLD_PERCENTAGE', '100', 'must be at most 99'],
  ['CIRCUIT_CONSECUTIVE_FAILURES', '0', 'must be at least 1'],
  ['PROVIDER_MAX_CONCURRENCY', '0', 'must be at least 1'],
  ['OUTBOX_CONCURRENCY', '0', 'must be at least 1'],
  ['OUTBOX_RATE_PER_SECOND', '9', 'must be at least 10'],
  ['IDEMPOTENCY_RETENTION_MS', '0', 'must be at least 1'],
  ['PROVIDER_TIMEOUT_MS', '3s', 'must be a whole number'],
  ['ALLOWED_COUNTRIES', 'CO,XX', 'must be ISO 3166 country codes such as CO,EC'],
  ['ALLOWED_COUNTRIES', 'CO,', 'must be ISO 3166 country codes such as CO,EC'],
  ['ALLOWED_COUNTRIES', 'co', 'must be ISO 3166 country codes such as CO,EC'],
  ['ALLOWED_COUNTRIES', 'Colombia', 'must be ISO 3166 country codes such as CO,EC'],
  ['MAX_SMS_PER_DAY', '-1', 'must be a whole number'],
  ['MAX_SMS_PER_DAY', '100000001', 'must be at most 100000000'],
  ['MAX_SMS_PER_RECIPIENT_PER_HOUR', '1000001', 'must be at most 1000000'],
])('%s=%s is refused: %s', (name, value, message) => {
  expect(messageOf({ [name]: value })).toBe(`The configuration is invalid:\n  ${name}: ${message}`);
});

test('the bounds on what is sent are read from their variables, and are off without them', () => {
  const off = { allowedCountries: undefined, defaultCountry: 'CO', maxPerDay: 0, maxPerRecipientPerHour: 0 };
  expect(boundsSettings(read({ ALLOWED_COUNTRIES: '' }))).toEqual(off);
  const env = {
    DEFAULT_COUNTRY: 'EC',
    ALLOWED_COUNTRIES: 'CO, EC',
    MAX_SMS_PER_DAY: '5',
    MAX_SMS_PER_RECIPIENT_PER_HOUR: '2',
  };
  expect(boundsSettings(read(env))).toEqual({
    allowedCountries: ['CO', 'EC'],
    defaultCountry: 'EC',
    maxPerDay: 5,
    maxPerRecipientPerHour: 2,
  });
});

test.each(['', 'Hold', 'retry'])('UNKNOWN_OUTCOME=%s is refused unless it is empty', (value) => {
  if (value === '') expect(read({ UNKNOWN_OUTCOME: value }).UNKNOWN_OUTCOME).toBe('resend');
  else expect(() => read({ UNKNOWN_OUTCOME: value })).toThrow(/UNKNOWN_OUTCOME: /);
});

// Refused, because the client drops a path and would call another URL than the configured one.
test.each(['ALDEAMO_SERVICE_URL', 'TWILIO_SERVICE_URL'])('%s with a path is refused', (name) => {
  expect(() => read({ [name]: 'http://gateway.example/sms' })).toThrow(ConfigurationError);
});

test.each([
  ['127.0.0.2', 'http://127.0.0.2'],
  ['::1', 'http://[::1]'],
  ['localhost', 'http://localhost'],
])('given HOST %s, the other services are looked for at it', (HOST, origin) => {
  expect(read({ HOST })).toMatchObject({
    ALDEAMO_SERVICE_URL: `${origin}:8001`,
    TWILIO_SERVICE_URL: `${origin}:8002`,
  });
  expect(readConfiguration(twilioConfigSchema, { HOST })).toMatchObject({
    PAYMENT_SERVICE_URL: `${origin}:8000`,
  });
  const TWILIO_SERVICE_URL = 'http://gateway.example';
  expect(read({ HOST, TWILIO_SERVICE_URL })).toMatchObject({ TWILIO_SERVICE_URL });
});

test('given a HOST that is no host, names it with everything else that is wrong', () => {
  expect(messageOf({ HOST: 'a b', PORT: 'x' })).toMatch(/HOST: must be an address or a host name\n.*PORT: /s);
});

test.each(
  Object.entries(settingPages()),
)('%s is what npm run docs:configuration writes from the schemas', (path, text) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text);
});

test('.env.example sets every variable of the three services once, to a value that they accept', () => {
  const lines = [...(settingPages()['.env.example'] ?? '').matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$/gm)];
  const example = Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
  const schemas = [paymentConfigSchema, aldeamoConfigSchema, twilioConfigSchema];
  const { PORT: _, ...shapes } = Object.assign({}, ...schemas.map(({ shape }) => shape));
  const ofStarters = [
    'ALDEAMO_SERVICE_PORT',
    'CONTAINER_EXTRA_CA_CERTS',
    'PAYMENT_SERVICE_PORT',
    'POSTGRES_PASSWORD',
    'TWILIO_SERVICE_PORT',
  ];
  const ofFiles = new Set(schemas.flatMap(secretsOf).map(fileSetting));
  expect(lines.map(([, name]) => name).sort()).toEqual(
    [...Object.keys(shapes), ...ofFiles, ...ofStarters].sort(),
  );
  for (const schema of schemas)
    expect(readConfiguration(schema as z.ZodType, example)).toEqual(
      readConfiguration(schema as z.ZodType, {}),
    );
});

test.each([
  'payment-service',
  'aldeamo-service',
  'twilio-service',
])('docker-compose.yml passes every setting of %s on, but those that its image or the other file sets', (service) => {
  const elsewhere = [
    'HOST',
    'REPLICA_NAME',
    'SENDS_DATABASE_URL',
    'SENDS_DATABASE_PASSWORD',
    'DATABASE_PASSWORD',
    'DATABASE_URL_FILE',
    'ALDEAMO_LEDGER_FILE',
    'TWILIO_LEDGER_FILE',
  ];
  const compose = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
  const [, rest = ''] = compose.split(`\n  ${service}:\n`);
  const [own = ''] = rest.split(/\n {2}\S/);
  const passed = [...own.matchAll(/^ {6}([A-Z][A-Z0-9_]*):/gm)].map(([, name]) => name);
  const names = documentedSettings().filter(({ readBy }) => readBy.includes(service));
  const expected = names
    .filter(({ name }) => !elsewhere.includes(name))
    .flatMap(({ name, secret }) => (secret ? [name, fileSetting(name)] : [name]))
    .filter((name) => !elsewhere.includes(name));
  expect(passed.sort()).toEqual(expected.sort());
});

test.each([
  'docker-compose.yml',
  'docker-compose.scale.yml',
])('%s mounts the certificates for payment-service, and no file that the shell has for other programs', (file) => {
  const compose = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  expect(compose.split('\n  payment-service:\n')[1]?.split(/\n {2}\S/)[0]).toContain(
    '/certificates/extra.pem',
  );
  const mounted = [...compose.matchAll(/^ *source: \W+(\w+)/gm)].map(([, variable]) => variable);
  expect(mounted).toEqual(['CONTAINER_EXTRA_CA_CERTS']);
});

describe('a way out that the shell has for other programs', () => {
  const wayOut = { HTTPS_PROXY: 'socks5://127.0.0.1:1080', NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' };
  const live = {
    Aldeamo: { ALDEAMO_USERNAME: 'a', ALDEAMO_PASSWORD: 'b' },
    Twilio: {
      TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
      TWILIO_AUTH_TOKEN: '0123456789abcdef'.repeat(2),
      TWILIO_FROM: '+15005550006',
    },
  };
  const webhooks = {
    WEBHOOK_URL: 'https://shop.example/payments',
    WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 'k').toString('base64')}`,
  };

  test.each([
    ['the sandbox of Aldeamo from starting, but a live service', aldeamoConfigSchema, live.Aldeamo],
    ['the sandbox of Twilio from starting, but a live service', twilioConfigSchema, live.Twilio],
    ['payment-service from starting, but one with webhooks', paymentConfigSchema, webhooks],
  ])('does not keep %s', (_service, schema, credentials) => {
    const readWith = (env: Record<string, string>) => readConfiguration(schema as z.ZodType, env);
    expect(readWith(wayOut)).toMatchObject(wayOut);
    expect(() => readWith(credentials)).not.toThrow();
    const refused = () => readWith({ ...credentials, ...wayOut });
    expect(refused).toThrow(/HTTPS_PROXY: must be an http:\/\/ or https:\/\/ URL/);
    expect(refused).toThrow(/NODE_EXTRA_CA_CERTS: must be a file with certificates/);
    expect(refused).not.toThrow(/1080|nowhere/);
  });
});

function messageOf(env: Record<string, string>): string {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'nothing was refused';
}

const key = 'k'.repeat(16);

test.each([
  [`portal:${key},web:short`, 'the key of entry 2 (web) must have at least 16 characters'],
  ['portal:short!', 'the key of entry 1 (portal) must have at least 16 characters'],
  [`portal:${key}!`, 'the key of entry 1 (portal) must consist of letters, digits and - . _ ~ + /'],
  [`portal:${key},${key}x`, 'entry 2 must be name:key, with a name of at most 64 letters, digits, - and _'],
  [`portal:${key},`, 'entry 2 must be name:key, with a name of at most 64 letters, digits, - and _'],
  [`mi portal:${key}`, 'entry 1 must be name:key, with a name of at most 64 letters, digits, - and _'],
  [`admin:${key}`, 'the name of entry 1 must be neither admin nor service'],
  [`${key}:portal`, 'the key of entry 1 must have at least 16 characters'],
  [`web:${key}:write`, 'entry 1 must be name:key or name:key:read: a key has no colon'],
  [`web:${key}:`, 'entry 1 must be name:key or name:key:read: a key has no colon'],
  [`web:${key}:read:read`, 'entry 1 must be name:key or name:key:read: a key has no colon'],
  [`web:${key}:${key}`, 'entry 1 must be name:key or name:key:read: a key has no colon'],
])('given API_KEYS=%s, names the entry in words and never a key', (API_KEYS, message) => {
  const text = messageOf({ API_KEYS, ADMIN_API_KEY: 'a'.repeat(16), SERVICE_TOKEN: 's'.repeat(16) });
  expect(text).toBe(`The configuration is invalid:\n  API_KEYS: ${message}`);
  expect(text).not.toMatch(/kkkk|short/);
});

test.each([
  [
    { API_KEYS: `a:${key},b:${key}` },
    'API_KEYS: entry 2 (b) must have a key of its own, and not that of entry 1 (a) of API_KEYS',
  ],
  [
    { API_KEYS: `a:${key},a:${key}:read` },
    'API_KEYS: entry 2 (a) must have a key of its own, and not that of entry 1 (a) of API_KEYS',
  ],
  [
    { API_KEYS: `${key}x:${key},b:${key}` },
    'API_KEYS: entry 2 (b) must have a key of its own, and not that of entry 1 of API_KEYS',
  ],
  [
    { ADMIN_API_KEY: `maria:${'m'.repeat(16)},noc:${key}` },
    'ADMIN_API_KEY: entry 2 (noc) must have a key of its own, and not that of entry 1 (shop) of API_KEYS',
  ],
  [
    { ADMIN_API_KEY: 's'.repeat(16) },
    'SERVICE_TOKEN: must have a key of its own, and not that of ADMIN_API_KEY',
  ],
  [
    { SERVICE_TOKEN: `${key},${'a'.repeat(16)}` },
    'SERVICE_TOKEN: entry 1 must have a key of its own, and not that of entry 1 (shop) of API_KEYS\n' +
      '  SERVICE_TOKEN: entry 2 must have a key of its own, and not that of ADMIN_API_KEY',
  ],
  [
    { SERVICE_TOKEN: `${'s'.repeat(16)},${'s'.repeat(16)}` },
    'SERVICE_TOKEN: entry 2 must have a key of its own, and not that of entry 1 of SERVICE_TOKEN',
  ],
])('given a key that is used twice, names both places and not the key', (settings, message) => {
  const text = messageOf({
    API_KEYS: `shop:${key}`,
    ADMIN_API_KEY: 'a'.repeat(16),
    SERVICE_TOKEN: 's'.repeat(16),
    ...settings,
  });
  expect(text).toBe(`The configuration is invalid:\n  ${message}`);
});
