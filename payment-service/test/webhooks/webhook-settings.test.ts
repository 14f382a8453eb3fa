import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';
import { endpointOptions, recordingOf } from '../../src/webhooks/webhook-settings.ts';

const read = (env: Record<string, string>) => readConfiguration(paymentConfigSchema, env);

function messageOf(env: Record<string, string>): string {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'nothing was refused';
}

const secretOf = (bytes: number, fill = 'k') => `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`;
const secret = secretOf(32);
const url = 'https://shop.example/hooks/path-of-the-shop?token=query-of-the-shop';
const webhook = { WEBHOOK_URL: url, WEBHOOK_SECRETS: secret };

const badUrl = 'must be an https:// URL, or http:// on loopback';
const privateUrl = 'must have a public address, unless WEBHOOK_ALLOW_PRIVATE is true';
const badSecret = 'entry 1 must be whsec_ and the base64 of 24 to 64 bytes';

describe('the settings of the webhook endpoint', () => {
  test('given none, record nothing and deliver nothing', () => {
    expect([recordingOf(read({})), endpointOptions(read({}))]).toEqual(['off', undefined]);
  });

  test('given EVENTS=true, record and deliver nothing', () => {
    const config = read({ EVENTS: 'true' });
    expect([recordingOf(config), endpointOptions(config)]).toEqual(['feed', undefined]);
  });

  test('given a URL and a secret, record and deliver, whatever EVENTS is', () => {
    for (const EVENTS of ['true', 'false'])
      expect(recordingOf(read({ ...webhook, EVENTS }))).toBe('webhooks');
    expect(endpointOptions(read(webhook))).toEqual({
      url,
      secrets: [Buffer.alloc(32, 'k')],
      timeoutMs: 15_000,
      concurrency: 32,
      allowPrivate: false,
    });
  });

  test('take each value from its variable', () => {
    const config = read({
      WEBHOOK_URL: ' http://127.0.0.1:9000/ ',
      WEBHOOK_SECRETS: `${secret}, ${secretOf(24, 'm')}`,
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_TIMEOUT_MS: '500',
      WEBHOOK_CONCURRENCY: '1000',
      HTTPS_PROXY: 'proxy.example:3128',
      NO_PROXY: '.corp',
      EVENTS_RETENTION_MS: '172800000',
    });
    expect(endpointOptions(config)).toEqual({
      url: 'http://127.0.0.1:9000/',
      secrets: [Buffer.alloc(32, 'k'), Buffer.alloc(24, 'm')],
      timeoutMs: 500,
      concurrency: 1000,
      allowPrivate: true,
      proxy: { url: 'http://proxy.example:3128', except: '.corp' },
    });
    expect(config.EVENTS_RETENTION_MS).toBe(172_800_000);
    expect(read({}).EVENTS_RETENTION_MS).toBe(30 * 86_400_000);
    expect(read({ EVENTS: 'true', EVENTS_RETENTION_MS: '3600000' }).EVENTS_RETENTION_MS).toBe(3_600_000);
  });

  test('given a file with a secret in each line, take both', () => {
    const path = join(tmpdir(), `webhook-secrets-${process.pid}`);
    onTestFinished(() => rmSync(path));
    writeFileSync(path, `${secret}\n${secretOf(24, 'm')}\n`);
    const config = read({ WEBHOOK_URL: url, WEBHOOK_SECRETS_FILE: path });
    expect(endpointOptions(config)?.secrets).toHaveLength(2);
  });

  test.each<[Record<string, string>, string]>([
    [{ WEBHOOK_URL: url }, 'WEBHOOK_SECRETS: is required with WEBHOOK_URL'],
    [{ WEBHOOK_SECRETS: secret }, 'WEBHOOK_URL: is required with WEBHOOK_SECRETS'],
    [{ ...webhook, WEBHOOK_URL: 'shop.example/path-of-the-shop' }, `WEBHOOK_URL: ${badUrl}`],
    [{ ...webhook, WEBHOOK_URL: 'ftp://shop.example/path-of-the-shop' }, `WEBHOOK_URL: ${badUrl}`],
    [
      { ...webhook, WEBHOOK_URL: 'http://shop.example/path-of-the-shop' },
      'WEBHOOK_URL: must be an https:// URL unless it is on loopback',
    ],
    [
      { ...webhook, WEBHOOK_URL: 'https://a:path-of-the-shop@shop.example/' },
      'WEBHOOK_URL: must have no user and no password',
    ],
    [{ ...webhook, WEBHOOK_URL: 'https://10.0.0.1/path-of-the-shop' }, `WEBHOOK_URL: ${privateUrl}`],
    [{ ...webhook, WEBHOOK_URL: 'https://[fe80::1]/path-of-the-shop' }, `WEBHOOK_URL: ${privateUrl}`],
    [{ ...webhook, WEBHOOK_SECRETS: secret.slice(6) }, `WEBHOOK_SECRETS: ${badSecret}`],
    [{ ...webhook, WEBHOOK_SECRETS: `${secret}!` }, `WEBHOOK_SECRETS: ${badSecret}`],
    [{ ...webhook, WEBHOOK_SECRETS: secretOf(23) }, `WEBHOOK_SECRETS: ${badSecret}`],
    [{ ...webhook, WEBHOOK_SECRETS: secretOf(65) }, `WEBHOOK_SECRETS: ${badSecret}`],
    [
      { ...webhook, WEBHOOK_SECRETS: ['k', 'l', 'm'].map((fill) => secretOf(24, fill)).join() },
      'WEBHOOK_SECRETS: must be one secret, or two while one replaces the other',
    ],
    [
      { ...webhook, HTTPS_PROXY: 'http://user:path-of-the-shop@proxy.example/x' },
      'HTTPS_PROXY: must have no path',
    ],
    [{ ...webhook, WEBHOOK_ALLOW_PRIVATE: 'yes' }, 'WEBHOOK_ALLOW_PRIVATE: must be true or false'],
    [{ ...webhook, WEBHOOK_TIMEOUT_MS: '0' }, 'WEBHOOK_TIMEOUT_MS: must be at least 1'],
    [{ ...webhook, WEBHOOK_CONCURRENCY: '1001' }, 'WEBHOOK_CONCURRENCY: must be at most 1000'],
    [{ EVENTS: '1' }, 'EVENTS: must be true or false'],
    [{ EVENTS_RETENTION_MS: '3599999' }, 'EVENTS_RETENTION_MS: must be at least 3600000'],
    [
      { ...webhook, EVENTS_RETENTION_MS: '172799999' },
      'EVENTS_RETENTION_MS: must be at least 172800000 with WEBHOOK_URL',
    ],
    [
      { ...webhook, STOP_TIMEOUT_MS: '5000', PROVIDER_TIMEOUT_MS: '500' },
      'STOP_TIMEOUT_MS: must be more than 5000 with WEBHOOK_URL',
    ],
  ])('given %j, are refused with a message without their values', (env, line) => {
    const message = messageOf(env);
    expect(message).toBe(`The configuration is invalid:\n  ${line}`);
    expect(message).not.toMatch(/-of-the-shop|whsec_a/);
  });

  test('given a private address with WEBHOOK_ALLOW_PRIVATE=true, are accepted', () => {
    const env = { ...webhook, WEBHOOK_URL: 'https://10.0.0.1/', WEBHOOK_ALLOW_PRIVATE: 'true' };
    expect(endpointOptions(read(env))?.url).toBe('https://10.0.0.1/');
  });

  test('given all that is wrong with them, are refused with all of it, beside other settings', () => {
    const env = {
      PORT: 'x',
      WEBHOOK_URL: 'http://shop.example',
      WEBHOOK_SECRETS: 'x',
      EVENTS_RETENTION_MS: '1',
    };
    const lines = messageOf(env)
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(':')[0]);
    expect(lines.toSorted()).toEqual(['EVENTS_RETENTION_MS', 'PORT', 'WEBHOOK_SECRETS', 'WEBHOOK_URL']);
  });
});
