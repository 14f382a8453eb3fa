import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { accessSettings, clientSettings, wrongCredentials } from '../../src/http/access-settings.ts';
import { readConfiguration, serviceSettings } from '../../src/http/configuration.ts';
import { createCredential, findCredential } from '../../src/http/credentials.ts';
import { problemSchema } from '../../src/http/problem.ts';
import type { ServerOptions } from '../../src/http/server.ts';
import type { Access } from '../../src/http/types.ts';
import { buildTestServer } from './fixture.ts';

const credentials = [
  createCredential('shop', 'client', 'key-of-the-shop-1'),
  createCredential('shop', 'client', 'key-of-the-shop-2'),
  createCredential('portal', 'client', 'key-of-the-portal'),
  createCredential('portal', 'client', 'key-of-the-reader', { isReadOnly: true }),
  createCredential('admin', 'admin', 'key-of-the-admin-1'),
];

async function build(options: Partial<ServerOptions> = {}) {
  const { server } = await buildTestServer({ credentials, ...options });
  const route = (path: string, access?: Access) =>
    server.get(path, { config: access ? { access } : {} }, async () => ({}));
  route('/things', ['client', 'admin']);
  route('/more', ['client', 'admin']);
  route('/public', 'anyone');
  route('/undeclared');
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
    server.route({
      method,
      url: '/things',
      config: { access: ['client', 'admin'] },
      handler: async () => ({}),
    });
  server.post('/undeclared', async () => ({}));
  const ask = (url: string, key?: string) =>
    server.inject({ url, headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  return { server, ask };
}

test('a route without an access rule is for the admin alone', async () => {
  const { ask } = await build();
  expect((await ask('/undeclared')).statusCode).toBe(401);
  expect((await ask('/undeclared', 'key-of-the-shop-1')).statusCode).toBe(403);
  expect((await ask('/undeclared', 'key-of-the-admin-1')).statusCode).toBe(200);
});

test('given a missing, unknown or insufficient key, WWW-Authenticate says so as in RFC 6750', async () => {
  const { ask } = await build();
  expect((await ask('/things')).headers['www-authenticate']).toBe('Bearer');
  expect((await ask('/things', 'an-unknown-key')).headers['www-authenticate']).toBe(
    'Bearer error="invalid_token"',
  );
});

describe('a read-only key', () => {
  const askBy = async (method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url = '/things') => {
    const { server } = await build();
    return server.inject({ method, url, headers: { authorization: 'Bearer key-of-the-reader' } });
  };

  test.each(['GET', 'HEAD'] as const)('allows %s where a client may make it', async (method) => {
    expect((await askBy(method)).statusCode).toBe(200);
    expect((await askBy(method, '/undeclared')).statusCode).toBe(403);
  });

  test.each([
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
  ] as const)('does not allow %s, and the 403 says why', async (method) => {
    const refused = await askBy(method);
    expect(refused.statusCode).toBe(403);
    expect(refused.headers['www-authenticate']).toBe('Bearer error="insufficient_scope"');
    expect(refused.json()).toMatchObject({
      detail: 'The key is read-only: it allows GET and HEAD requests alone.',
    });
  });

  test('given a request that no client may make, gets the 403 of a client', async () => {
    expect((await askBy('POST', '/undeclared')).json()).toMatchObject({
      detail: 'The key does not allow this request.',
    });
  });
});

test('a part of a key is not a key', () => {
  expect(findCredential(credentials, 'key-of-the-portal')?.name).toBe('portal');
  expect(findCredential(credentials, 'key-of-the-porta')).toBeUndefined();
  expect(findCredential(credentials, '')).toBeUndefined();
});

describe('the limit of requests in a minute', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());
  const times = async (count: number, ask: () => Promise<{ statusCode: number }>) => {
    const statuses: number[] = [];
    for (let at = 0; at < count; at += 1) statuses.push((await ask()).statusCode);
    return statuses;
  };

  test('is counted for all keys of a name, over all routes of the public API, and ends with the minute', async () => {
    const { ask } = await build({ rateLimitPerMinute: 3 });
    expect(await times(2, () => ask('/things', 'key-of-the-shop-1'))).toEqual([200, 200]);
    expect(await times(2, () => ask('/more', 'key-of-the-shop-2'))).toEqual([200, 429]);
    expect(await times(3, () => ask('/things', 'key-of-the-portal'))).toEqual([200, 200, 200]);

    vi.advanceTimersByTime(40_000);
    const refused = await ask('/things', 'key-of-the-shop-1');
    expect(problemSchema.parse(refused.json())).toMatchObject({ type: '/problems/too-many-requests' });
    expect(refused.headers['retry-after']).toBe('20');

    vi.advanceTimersByTime(20_001);
    expect((await ask('/things', 'key-of-the-shop-1')).statusCode).toBe(200);
  });

  test('applies neither to the admin nor to routes for anyone', async () => {
    const { ask } = await build({ rateLimitPerMinute: 1 });
    expect(await times(3, () => ask('/things', 'key-of-the-admin-1'))).toEqual([200, 200, 200]);
    expect(await times(3, () => ask('/public'))).toEqual([200, 200, 200]);
  });

  test('is in the headers of each response that it applies to, a refusal as well', async () => {
    const { ask, server } = await build({ rateLimitPerMinute: 3 });
    const headersOf = async (asking: ReturnType<typeof ask>) => {
      const { statusCode, headers } = await asking;
      return [statusCode, headers['ratelimit-policy'], headers.ratelimit, headers['retry-after']];
    };
    server.get('/failing', { config: { access: ['client'] } }, async () =>
      Promise.reject(new Error('fails')),
    );
    const policy = '"default";q=3;w=60';
    const askAsShop = (url: string) => headersOf(ask(url, 'key-of-the-shop-1'));
    expect(await askAsShop('/things')).toEqual([200, policy, '"default";r=2;t=60', undefined]);
    vi.advanceTimersByTime(20_500);
    expect(await askAsShop('/failing')).toEqual([500, policy, '"default";r=1;t=40', undefined]);
    expect(await askAsShop('/things')).toEqual([200, policy, '"default";r=0;t=40', undefined]);
    expect(await askAsShop('/things')).toEqual([429, policy, '"default";r=0;t=40', '40']);
  });

  test('is in no header of a request that it does not apply to', async () => {
    const limited = await build({ rateLimitPerMinute: 3 });
    const unlimited = await build();
    const responses = await Promise.all([
      limited.ask('/things', 'key-of-the-admin-1'),
      limited.ask('/public'),
      limited.ask('/nope'),
      limited.ask('/health'),
      limited.ask('/undeclared', 'key-of-the-shop-1'),
      limited.ask('/things', 'an-unknown-key-0001'),
      unlimited.ask('/things', 'key-of-the-shop-1'),
    ]);
    for (const { headers } of responses) {
      expect(headers).not.toHaveProperty('ratelimit');
      expect(headers).not.toHaveProperty('ratelimit-policy');
    }
  });

  test('without keys, is counted for each address', async () => {
    const { ask } = await build({ credentials: [], rateLimitPerMinute: 1 });
    expect(await times(2, () => ask('/things'))).toEqual([200, 429]);
  });

  test('is not used up by wrong keys', async () => {
    const { ask } = await build({ rateLimitPerMinute: 1 });
    expect(await times(3, () => ask('/things', 'an-unknown-key-0001'))).toEqual([401, 401, 401]);
    expect((await ask('/things', 'key-of-the-shop-1')).statusCode).toBe(200);
  });
});

describe('requests beyond the concurrency limit', () => {
  async function buildBusy(options: Partial<ServerOptions> = {}) {
    const { server, ask } = await build({ maxConcurrentRequests: 2, credentials: [], ...options });
    const held = Promise.withResolvers<object>();
    const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let count = 0;
    server.get('/held', async () => {
      begun[count]?.resolve();
      count += 1;
      return held.promise;
    });
    const under = [ask('/held').then((response) => response), ask('/held').then((response) => response)];
    await Promise.all(begun.map(({ promise }) => promise));
    return { ask, letGo: () => held.resolve({}), under };
  }

  test('are refused, but for those of the health, until others have ended', async () => {
    const { ask, letGo, under } = await buildBusy();
    const refused = await ask('/things');
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(problemSchema.parse(refused.json())).toMatchObject({ type: '/problems/overloaded' });
    expect((await ask('/health/live')).statusCode).toBe(200);
    expect((await ask('/health/ready')).statusCode).toBe(200);

    letGo();
    expect((await Promise.all(under)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    expect((await ask('/things')).statusCode).toBe(200);
  });

  test('are refused with the members of the service', async () => {
    const { ask, letGo } = await buildBusy({ refusalMembers: (reason) => ({ outcome: 'not_sent', reason }) });
    expect((await ask('/things')).json()).toMatchObject({ outcome: 'not_sent', reason: 'overloaded' });
    letGo();
  });
});

test('no response may be framed, sniffed, cached, or run anything in a browser', async () => {
  const { ask } = await build();
  for (const url of ['/public', '/nope', '/things']) {
    expect((await ask(url)).headers, url).toMatchObject({
      'content-security-policy':
        "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  }
});

test('OpenAPI names the roles, one of which the key of a route must have', async () => {
  const { server } = await build();
  await server.ready();
  const { paths, components } = (await server.inject({ url: '/openapi.json' })).json();
  expect(components.securitySchemes).toMatchObject({ key: { type: 'http', scheme: 'bearer' } });
  expect(paths['/things'].get.security).toEqual([{ key: ['client'] }, { key: ['admin'] }]);
  expect(paths['/public'].get.security).toEqual([]);
});

describe('the settings', () => {
  const all = ['API_KEYS', 'ADMIN_API_KEY', 'SERVICE_TOKEN'] as const;
  const schema = z
    .object({ ...serviceSettings({ port: 1 }), ...accessSettings(), ...clientSettings() })
    .check(({ value, issues }) => void issues.push(...wrongCredentials(value, all)));
  const read = (env: Record<string, string>) => readConfiguration(schema, env);
  const keys = {
    API_KEYS: 'shop:0123456789abcdef,shop:fedcba9876543210',
    ADMIN_API_KEY: 'admin-0123456789',
    SERVICE_TOKEN: 'token-0123456789',
  };

  test.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1'])('given HOST %s, keys are optional', (HOST) => {
    expect(() => read({ HOST })).not.toThrow();
  });

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'payments.example.com',
    '127.example.com',
  ])('given HOST %s, all keys are required, unless ALLOW_ANONYMOUS is set', (HOST) => {
    for (const name of all) expect(() => read({ HOST })).toThrow(name);
    expect(() => read({ HOST, ALLOW_ANONYMOUS: 'true' })).not.toThrow();
    expect(() => read({ HOST, ...keys })).not.toThrow();
  });

  test.each(all)('given the other keys, %s is required', (name) => {
    expect(() => read({ ...keys, [name]: '', ALLOW_ANONYMOUS: 'true' })).toThrow(name);
  });

  test.each([
    ['a short one', { ADMIN_API_KEY: 'too-short' }],
    ['one that no header can carry', { SERVICE_TOKEN: 'with a space in it' }],
    ['one without a name', { API_KEYS: '0123456789abcdef' }],
    ['a short one among several', { API_KEYS: 'shop:0123456789abcdef,portal:short' }],
    ['a client with the name of another role', { API_KEYS: 'admin:0123456789abcdef' }],
    ['one for two roles', { API_KEYS: `shop:${keys.ADMIN_API_KEY}` }],
  ])('%s is refused as a key, and not quoted in the error', (_name, wrong) => {
    expect(() => read({ ...keys, ...wrong })).toThrow(Object.keys(wrong)[0] === 'API_KEYS' ? /KEY/ : /must/);
    try {
      read({ ...keys, ...wrong });
    } catch (error) {
      for (const value of Object.values(wrong)) expect(String(error)).not.toContain(value);
    }
  });
});
