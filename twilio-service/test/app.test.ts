import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { describe, expect, test, vi } from 'vitest';
import { twilio } from '../../test/doubles/twilio-upstream.ts';
import { ample, notify } from '../../test/provider-fixture.ts';
import { receiptSettings, twilioAccount, twilioConfigSchema } from '../src/config.ts';
import { startApp, startLiveApp } from './fixture.ts';

test('without an account, the service is a sandbox', async () => {
  const { app } = await startApp({ TWILIO_LATENCY_MS: '0' });
  expect((await app.inject('/health')).json()).toMatchObject({ mode: 'sandbox' });
  expect((await app.inject(notify('a', {}))).statusCode).toBe(200); // without any phone
  expect((await app.inject('/sandbox/messages')).json().data).toHaveLength(1);
});

describe('with an account', () => {
  test('the service is live, and has no sandbox routes', async () => {
    const { app, upstream } = await startLiveApp();
    expect((await app.inject('/health')).json()).toMatchObject({ mode: 'live', provider: 'Twilio' });
    expect((await app.inject('/sandbox')).statusCode).toBe(404);
    expect((await app.inject('/sandbox/messages')).statusCode).toBe(404);
    expect((await app.inject({ method: 'POST', url: '/toggle-failure?failure_rate=1' })).statusCode).toBe(
      404,
    );
    const response = await app.inject(notify('a'));
    expect(response.json()).toEqual({
      provider: 'Twilio',
      status: 'sent',
      mode: 'live',
      receipts: ['pull'],
      message_id: upstream.ledger[0]?.sid,
    });
    expect((await app.inject(notify('a'))).json()).toEqual(response.json());
    expect(upstream.ledger).toHaveLength(1);
  });

  test('its health check is that of the upstream', async () => {
    const { app, upstream } = await startLiveApp();
    expect((await app.inject('/health/upstream')).statusCode).toBe(200);
    upstream.account = (response) => response.writeHead(503).end();
    // Twilio is asked once a second.
    await vi.waitUntil(async () => (await app.inject('/health/upstream')).statusCode === 503, ample);
  });

  test('given silence, its own deadline passes before the answer is due, so the outcome has a reason', async () => {
    const { app, upstream } = await startLiveApp({ GATEWAY_TIMEOUT_MS: '400' });
    upstream.answerAll(twilio.silenceAfter);
    const response = await app.inject(notify('a'));
    expect(response.statusCode).toBe(502);
    expect(response.json()).toMatchObject({ outcome: 'unknown', reason: 'deadline_passed' });
  });

  test('closing the app closes every connection to Twilio', async () => {
    const { app, upstream } = await startLiveApp();
    await app.inject(notify('a'));
    expect(await upstream.connections()).toBe(1);
    await app.close();
    await vi.waitUntil(async () => (await upstream.connections()) === 0);
  });
});

describe('the configuration', () => {
  const digits = '0123456789abcdef'.repeat(2);
  const otherToken = 'fedcba9876543210'.repeat(2);
  const account = { TWILIO_ACCOUNT_SID: `AC${digits}` };
  const token = { ...account, TWILIO_AUTH_TOKEN: digits };
  const key = { ...account, TWILIO_API_KEY_SID: `SK${digits}`, TWILIO_API_KEY_SECRET: 'secret' };
  const from = { TWILIO_FROM: '+15005550006' };
  const service = { TWILIO_MESSAGING_SERVICE_SID: `MG${digits}` };
  const secondary = { TWILIO_AUTH_TOKEN_SECONDARY: otherToken };
  const publicUrl = { PUBLIC_URL: 'https://sms.pagos.co' };

  test('has its defaults', () => {
    const config = readConfiguration(twilioConfigSchema, {});
    expect(config).toMatchObject({
      TWILIO_BASE_URL: 'https://api.twilio.com',
      PAYMENT_SERVICE_URL: 'http://127.0.0.1:8000',
      GATEWAY_TIMEOUT_MS: 2500,
      GATEWAY_MAX_CONCURRENCY: 256,
    });
    expect(twilioAccount(config)).toBeUndefined();
    expect(receiptSettings(config)).toBeUndefined();
  });

  test.each<[Record<string, string>, object]>([
    [
      { ...token, ...from },
      { username: `AC${digits}`, password: digits, sender: { From: '+15005550006' } },
    ],
    [
      { ...token, ...service },
      { username: `AC${digits}`, password: digits, sender: { MessagingServiceSid: `MG${digits}` } },
    ],
    [
      { ...key, ...from },
      { username: `SK${digits}`, password: 'secret' },
    ],
    [
      { ...token, ...key, ...from },
      { username: `SK${digits}`, password: 'secret' },
    ],
  ])('%j is an account', (env, expected) => {
    expect(twilioAccount(readConfiguration(twilioConfigSchema, env))).toMatchObject({
      accountSid: `AC${digits}`,
      ...expected,
    });
  });

  test.each<[Record<string, string>, string | undefined]>([
    [{ ...token, ...from }, undefined],
    [{ ...token, ...from, ...publicUrl }, 'https://sms.pagos.co'],
    [{ ...token, ...key, ...from, ...publicUrl }, 'https://sms.pagos.co'],
    [{ ...token, ...from, PUBLIC_URL: 'https://pagos.co:8443/twilio/' }, 'https://pagos.co:8443/twilio'],
    [publicUrl, undefined],
  ])('%j has receipts at %s', (env, url) => {
    expect(receiptSettings(readConfiguration(twilioConfigSchema, env))?.publicUrl).toBe(url);
  });

  test.each<[Record<string, string>, string[]]>([
    [token, [digits]],
    [{ ...token, ...secondary }, [digits, otherToken]],
    [{ ...token, TWILIO_AUTH_TOKEN_SECONDARY: '' }, [digits]],
    [{ ...token, ...key, ...secondary }, [digits, otherToken]],
  ])('%j verifies receipts by %j', (env, authTokens) => {
    const config = readConfiguration(twilioConfigSchema, { ...env, ...from, ...publicUrl });
    expect(receiptSettings(config)).toMatchObject({ authTokens });
  });

  const required = 'is required to send through Twilio';
  const orKey = 'is required, or TWILIO_API_KEY_SID and TWILIO_API_KEY_SECRET';
  const orService = 'is required, or TWILIO_MESSAGING_SERVICE_SID';
  const signs = 'is required with PUBLIC_URL: Twilio signs its status callbacks with it';
  test.each<[Record<string, string>, string[]]>([
    [account, [`TWILIO_AUTH_TOKEN: ${orKey}`, `TWILIO_FROM: ${orService}`]],
    [from, [`TWILIO_ACCOUNT_SID: ${required}`, `TWILIO_AUTH_TOKEN: ${orKey}`]],
    [{ TWILIO_AUTH_TOKEN: digits }, [`TWILIO_ACCOUNT_SID: ${required}`, `TWILIO_FROM: ${orService}`]],
    [token, [`TWILIO_FROM: ${orService}`]],
    [
      { ...account, ...from, TWILIO_API_KEY_SID: `SK${digits}` },
      ['TWILIO_API_KEY_SECRET: is required with TWILIO_API_KEY_SID'],
    ],
    [
      { ...account, ...from, TWILIO_API_KEY_SECRET: 'secret' },
      ['TWILIO_API_KEY_SID: is required with TWILIO_API_KEY_SECRET'],
    ],
    [
      { ...token, ...from, ...service },
      ['TWILIO_MESSAGING_SERVICE_SID: must not be set together with TWILIO_FROM'],
    ],
    [{ ...key, ...from, ...publicUrl }, [`TWILIO_AUTH_TOKEN: ${signs}`]],
    [{ ...key, ...from, ...publicUrl, ...secondary }, [`TWILIO_AUTH_TOKEN: ${signs}`]],
    [
      secondary,
      [`TWILIO_ACCOUNT_SID: ${required}`, `TWILIO_AUTH_TOKEN: ${orKey}`, `TWILIO_FROM: ${orService}`],
    ],
    [
      { ...token, ...from, PUBLIC_URL: 'sms.example.com' },
      ['PUBLIC_URL: must be an http:// or https:// URL'],
    ],
    [{ PUBLIC_URL: 'https://a.example/?a=b' }, ['PUBLIC_URL: must have no query, no fragment and no user']],
    [{ TWILIO_BASE_URL: 'https://a.example/2010' }, ['TWILIO_BASE_URL: must have no path']],
  ])('%j: %j', (env, lines) => {
    expect(() => readConfiguration(twilioConfigSchema, env)).toThrow(ConfigurationError);
    try {
      readConfiguration(twilioConfigSchema, env);
    } catch (error) {
      expect(
        (error as Error).message
          .split('\n')
          .slice(1)
          .map((line) => line.trim()),
      ).toEqual(lines);
    }
  });
});
