import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { describe, expect, test, vi } from 'vitest';
import { aldeamo, aldeamoPackage } from '../../test/doubles/aldeamo-upstream.ts';
import { message, notify, phone } from '../../test/provider-fixture.ts';
import { aldeamoConfigSchema, aldeamoCredentials } from '../src/config.ts';
import { startApp, startLiveApp } from './fixture.ts';

describe('without credentials', () => {
  test('the service is a sandbox', async () => {
    const { app } = await startApp({ ALDEAMO_LATENCY_MS: '0' });
    expect((await app.inject('/health')).json()).toMatchObject({ mode: 'sandbox' });
    expect((await app.inject(notify('a', {}))).statusCode).toBe(200); // without any phone
    expect((await app.inject('/sandbox/messages')).json().data).toHaveLength(1);
  });
});

describe('with credentials', () => {
  test('the service is live, and has no sandbox routes', async () => {
    const { app, upstream } = await startLiveApp();
    expect((await app.inject('/health')).json()).toMatchObject({ mode: 'live', provider: 'Aldeamo' });
    expect((await app.inject('/sandbox')).statusCode).toBe(404);
    expect((await app.inject('/sandbox/messages')).statusCode).toBe(404);
    expect((await app.inject({ method: 'POST', url: '/toggle-failure?failure_rate=1' })).statusCode).toBe(
      404,
    );
    expect((await app.inject('/openapi.json')).body).not.toMatch(/"\/(sandbox|toggle)/);
    const response = await app.inject(notify('a'));
    expect(response.json()).toEqual({
      provider: 'Aldeamo',
      status: 'sent',
      mode: 'live',
      receipts: [],
      message_id: String(upstream.ledger[0]?.transactionId),
    });
    expect((await app.inject(notify('a'))).json()).toEqual(response.json());
    expect(upstream.ledger).toHaveLength(1);
  });

  test('what became of an SMS cannot be asked: a 404 without a call', async () => {
    const { app, upstream } = await startLiveApp();
    const { message_id } = (await app.inject(notify('a'))).json();
    const response = await app.inject(`/messages/${message_id}`);
    expect(response.json()).toMatchObject({ status: 404, type: '/problems/receipts-unavailable' });
    expect(upstream.violations).toEqual([]);
  });

  test('its health check is that of the upstream', async () => {
    const healthy = await startLiveApp();
    expect((await healthy.app.inject('/health/upstream')).statusCode).toBe(200);
    const { app, upstream } = await startLiveApp();
    upstream.packageReport = (response) => response.writeHead(503).end();
    expect((await app.inject('/health/upstream')).statusCode).toBe(503);
  });

  test('reports the SMS that are left in the packages, and replies with 503 when there are none', async () => {
    const { app, upstream, alerts } = await startLiveApp();
    upstream.packages = [aldeamoPackage(2), aldeamoPackage(1)];
    await app.inject('/health/upstream');
    expect((await app.inject('/health')).json()).toMatchObject({ account: { state: 'ok', balance: 3 } });
    expect((await app.inject('/metrics')).body).toContain('paysms_account_balance{provider="Aldeamo"} 3');
    upstream.packages = [];
    const response = await app.inject(notify('a'));
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ outcome: 'not_sent', reason: 'balance', account_refused: true });
    expect(alerts()).toMatchObject([{ level: 30 }, { level: 50, account: 'refused', reason: 'balance' }]);
  });

  test('given no phone, replies with 422 and makes no call', async () => {
    const { app, upstream } = await startLiveApp();
    const response = await app.inject(notify('a', {}));
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({ outcome: 'rejected', reason: 'phone_unknown' });
    expect(upstream.sends).toBe(0);
  });

  test('given silence, its own deadline passes before the answer is due, so the outcome has a reason', async () => {
    const { app, upstream } = await startLiveApp({ GATEWAY_TIMEOUT_MS: '400' });
    upstream.answerAll(aldeamo.silenceAfter);
    const response = await app.inject(notify('a'));
    expect(response.statusCode).toBe(502);
    expect(response.json()).toMatchObject({ outcome: 'unknown', reason: 'deadline_passed' });
  });

  test('no line of its log has a phone or a message', async () => {
    const { app, upstream, lines } = await startLiveApp({ GATEWAY_TIMEOUT_MS: '400' });
    const answers = [
      aldeamo.accepted,
      aldeamo.refused(`Numero ${phone} invalido`),
      aldeamo.refused(`${message} a 3001234567 no se pudo`),
      aldeamo.error(-1, `No: ${phone} ${message}`),
      aldeamo.unauthorized,
      aldeamo.http(500, { reason: `${phone}: ${message}` }),
      aldeamo.garbage,
      aldeamo.cutAfter,
      aldeamo.silence,
    ];
    for (const [index, answer] of answers.entries()) {
      upstream.answerNext(answer);
      await app.inject(notify(`key-${index}`));
    }
    const log = JSON.stringify(lines);
    expect(lines.filter(({ msg }) => msg === 'notification answered')).toHaveLength(answers.length);
    expect(log).not.toContain('3001234567');
    expect(log).not.toContain('secreto');
    expect(log).not.toContain(upstream.password);
  });
});

describe('the configuration', () => {
  const errorOf = (env: Record<string, string>) => {
    try {
      readConfiguration(aldeamoConfigSchema, env);
    } catch (error) {
      if (error instanceof ConfigurationError)
        return error.message
          .split('\n')
          .slice(1)
          .map((line) => line.trim());
      throw error;
    }
    return [];
  };

  test('has its defaults', () => {
    const config = readConfiguration(aldeamoConfigSchema, {});
    expect(config).toMatchObject({
      ALDEAMO_BASE_URL: 'https://apitellit.aldeamo.com',
      GATEWAY_TIMEOUT_MS: 2500,
      GATEWAY_MAX_CONCURRENCY: 256,
    });
    expect(aldeamoCredentials(config)).toBeUndefined();
  });

  test.each([
    'a:b',
    'two words, your-1st',
    '<contraseña>',
    'x',
    'password',
  ])('takes a user with the password %j', (ALDEAMO_PASSWORD) => {
    const config = readConfiguration(aldeamoConfigSchema, { ALDEAMO_USERNAME: 'pagos', ALDEAMO_PASSWORD });
    expect(aldeamoCredentials(config)).toEqual({ username: 'pagos', password: ALDEAMO_PASSWORD });
  });

  const user = { ALDEAMO_USERNAME: 'pagos' };
  const placeholder = 'is a placeholder: replace it by the value of your account';
  const invisible = 'must have no line end, and no other invisible character';
  test.each<[Record<string, string>, string]>([
    [{ ALDEAMO_USERNAME: 'pagos' }, 'ALDEAMO_PASSWORD: is required with ALDEAMO_USERNAME'],
    [{ ALDEAMO_PASSWORD: 'secreta' }, 'ALDEAMO_USERNAME: is required with ALDEAMO_PASSWORD'],
    [
      { ALDEAMO_USERNAME: 'pagos', ALDEAMO_PASSWORD: '' },
      'ALDEAMO_PASSWORD: is required with ALDEAMO_USERNAME',
    ],
    [{ ALDEAMO_BASE_URL: 'https://a.example/SmsiWS' }, 'ALDEAMO_BASE_URL: must have no path'],
    [{ ALDEAMO_BASE_URL: 'ftp://a.example' }, 'ALDEAMO_BASE_URL: must be an http:// or https:// URL'],
    [{ ALDEAMO_USERNAME: 'a:b', ALDEAMO_PASSWORD: 'c' }, 'ALDEAMO_USERNAME: must not contain a colon'],
    [{ ...user, ALDEAMO_PASSWORD: 'your-password' }, `ALDEAMO_PASSWORD: ${placeholder}`],
    [{ ...user, ALDEAMO_PASSWORD: 'change-me' }, `ALDEAMO_PASSWORD: ${placeholder}`],
    [{ ...user, ALDEAMO_PASSWORD: 'xxxxxxxx' }, `ALDEAMO_PASSWORD: ${placeholder}`],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable that was not replaced
    [{ ...user, ALDEAMO_PASSWORD: '${PASSWORD}' }, `ALDEAMO_PASSWORD: ${placeholder}`],
    [{ ...user, ALDEAMO_PASSWORD: ' c' }, 'ALDEAMO_PASSWORD: must not begin or end with a blank'],
    [{ ...user, ALDEAMO_PASSWORD: 'c\n' }, `ALDEAMO_PASSWORD: ${invisible}`],
    [{ ...user, ALDEAMO_PASSWORD: 'a\u200bc' }, `ALDEAMO_PASSWORD: ${invisible}`],
    [{ ALDEAMO_USERNAME: 'your-user', ALDEAMO_PASSWORD: 'c' }, `ALDEAMO_USERNAME: ${placeholder}`],
    [
      { ALDEAMO_USERNAME: 'pagos ', ALDEAMO_PASSWORD: 'c' },
      'ALDEAMO_USERNAME: must not begin or end with a blank',
    ],
  ])('%j: %s', (env, line) => {
    expect(errorOf(env)).toEqual([line]);
  });
});

test('closing the app closes every connection to Aldeamo', async () => {
  const { app, upstream } = await startLiveApp();
  await app.inject(notify('a'));
  expect(await upstream.connections()).toBe(1);
  await app.close();
  await vi.waitUntil(async () => (await upstream.connections()) === 0);
});
