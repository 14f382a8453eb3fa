import { describe, expect, test } from 'vitest';
import { problemSchema } from '../../src/http/problem.ts';
import type { Gateway } from '../../src/provider/gateway.ts';
import { body, buildFakeApp, buildSandboxApp, notify } from './fixture.ts';

test('GET / and GET /health name the provider, and count its requests', async () => {
  const { app } = await buildSandboxApp();
  expect((await app.inject('/')).json()).toEqual({ message: 'Servicio de Aldeamo', status: 'online' });
  const health = async () => (await app.inject('/health')).json();
  expect(await health()).toEqual({
    status: 'healthy',
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
  test.each<[string, Gateway['check'], number]>([
    ['healthy', async () => ({ state: 'healthy' }), 200],
    ['unhealthy', async () => ({ state: 'unhealthy', reason: 'http_500' }), 503],
    ['silent', () => new Promise(() => {}), 503],
  ])('given an API that is %s', async (_name, check, status) => {
    const { app, gateway } = await buildFakeApp({ check }, { gatewayTimeoutMs: 10 });
    const response = await app.inject('/health/upstream');
    expect(response.statusCode).toBe(status);
    if (status === 200) expect(response.json()).toEqual({ status: 'healthy' });
    else expect(problemSchema.parse(response.json()).type).toBe('urn:problem:upstream-unhealthy');
    expect(gateway.send).not.toHaveBeenCalled();
  });
});
