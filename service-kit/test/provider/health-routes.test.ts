import type { FastifyBaseLogger } from 'fastify';
import { describe, expect, test } from 'vitest';
import { problemSchema } from '../../src/http/problem.ts';
import { createAccount } from '../../src/provider/account.ts';
import type { Gateway } from '../../src/provider/gateway.ts';
import { body, buildFakeApp, buildSandboxApp, notify } from './fixture.ts';

test('GET / and GET /health name the provider, and count its requests', async () => {
  const { app } = await buildSandboxApp();
  expect((await app.inject('/')).json()).toEqual({ message: 'Servicio de Aldeamo', status: 'online' });
  const health = async () => (await app.inject('/health')).json();
  expect(await health()).toEqual({
    status: 'healthy',
    version: '1.2.3',
    provider: 'Aldeamo',
    mode: 'sandbox',
    account: null,
    requests: 0,
  });
  await app.inject(notify(body));
  await app.inject(notify(body));
  expect(await health()).toMatchObject({ requests: 2 });
});

describe('GET /health/upstream', () => {
  test.each<[string, Gateway['check'], object]>([
    ['healthy', async () => ({ state: 'healthy' }), { status: 'healthy' }],
    [
      'silent about sends',
      async () => ({ state: 'unknown', reason: 'check_forbidden' }),
      { status: 'unknown', reason: 'check_forbidden' },
    ],
  ])('given an API that is %s, returns 200', async (_name, check, body) => {
    const { app, gateway } = await buildFakeApp({ check });
    const response = await app.inject('/health/upstream');
    expect([response.statusCode, response.json()]).toEqual([200, body]);
    expect(gateway.send).not.toHaveBeenCalled();
  });

  test.each<[string, Gateway['check'], object]>([
    [
      'unhealthy',
      async () => ({ state: 'unhealthy', reason: 'connection_refused' }),
      { reason: 'connection_refused', account_refused: false, only_a_send_can_tell: false },
    ],
    [
      'refusing the account',
      async () => ({ state: 'refused', reason: 'credentials' }),
      { reason: 'credentials', account_refused: true, only_a_send_can_tell: false },
    ],
    ['silent', () => new Promise(() => {}), { reason: 'gateway_timeout' }],
  ])('given an API that is %s, returns 503 with the reason', async (_name, check, members) => {
    const { app, gateway } = await buildFakeApp({ check }, { gatewayTimeoutMs: 10 });
    const response = await app.inject('/health/upstream');
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject(members);
    expect(problemSchema.parse(response.json()).type).toBe('/problems/upstream-unhealthy');
    expect(gateway.send).not.toHaveBeenCalled();
  });

  test('given an account that only sends have shown to be refused, returns 503, and that only a send can tell', async () => {
    const log = { info() {}, error() {} } as unknown as FastifyBaseLogger;
    const account = createAccount({ provider: 'Aldeamo', log });
    account.learnFromSend(
      { outcome: { outcome: 'not_sent', reason: 'balance' }, fault: 'account' },
      '+57',
      performance.now(),
    );
    const { app } = await buildFakeApp({}, { account });
    const response = await app.inject('/health/upstream');
    expect(response.statusCode).toBe(503);
    const members = { reason: 'balance', account_refused: true, only_a_send_can_tell: true };
    expect(response.json()).toMatchObject(members);
    expect((await app.inject('/health')).json()).toMatchObject({
      mode: 'live',
      account: { state: 'refused', reason: 'balance' },
    });
  });
});
