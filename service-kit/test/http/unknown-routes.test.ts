import { METHODS } from 'node:http';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createCredential } from '../../src/http/credentials.ts';
import { problemContentType } from '../../src/http/problem.ts';
import type { ServerOptions } from '../../src/http/server.ts';
import { buildTestServer } from './fixture.ts';

async function build(options: Partial<ServerOptions> = {}) {
  const { server } = await buildTestServer(options);
  server.get('/things/:id', { schema: { params: z.object({ id: z.string() }) } }, async () => ({}));
  server.put('/things/:id', { schema: { params: z.object({ id: z.string() }) } }, async () => ({}));
  server.post('/things', { schema: { body: z.strictObject({}) } }, async () => ({}));
  server.post('/hook', { config: { access: 'anyone', acceptsAnyQuery: true } }, async () => ({}));
  return server;
}

describe('a method that the path does not have', () => {
  test.each([
    ['DELETE', '/things/a', 'GET, HEAD, PUT'],
    ['PATCH', '/things/%C3%B1', 'GET, HEAD, PUT'],
    ['GET', '/things', 'POST'],
    ['HEAD', '/things', 'POST'],
    ['OPTIONS', '/things?a=b', 'POST'],
    ['PROPFIND', '/things', 'POST'],
    ['POST', '/', 'GET, HEAD'],
    ['POST', '/health/live', 'GET, HEAD'],
    ['DELETE', '/metrics', 'GET, HEAD'],
    ['PUT', '/openapi.json', 'GET, HEAD'],
    ['POST', '/docs', 'GET, HEAD'],
    ['POST', '/docs/', 'GET, HEAD'],
    ['POST', '/docs/static/swagger-ui.css', 'GET, HEAD'],
  ])('is a 405: %s %s allows %s', async (method, url, allow) => {
    const server = await build();
    const response = await server.inject({ method: method as 'GET', url });
    expect([response.statusCode, response.headers.allow, response.headers['content-type']]).toEqual([
      405,
      allow,
      problemContentType,
    ]);
    if (method !== 'HEAD') expect(response.json()).toMatchObject({ type: '/problems/method-not-allowed' });
  });

  test('is a 405 before its body is read', async () => {
    const server = await build();
    const headers = { 'content-type': 'application/json' };
    const response = await server.inject({ method: 'PATCH', url: '/things', headers, payload: '{' });
    expect(response.statusCode).toBe(405);
  });

  test('needs no key, as an unknown path needs none', async () => {
    const server = await build({ credentials: [createCredential('admin', 'admin', 'a'.repeat(16))] });
    const statusOf = async (method: 'GET' | 'DELETE', url: string) =>
      (await server.inject({ method, url })).statusCode;
    expect(await statusOf('GET', '/things/a')).toBe(401);
    expect(await statusOf('DELETE', '/things/a')).toBe(405);
    expect(await statusOf('DELETE', '/nope')).toBe(404);
  });
});

test.each(
  METHODS.filter((method) => method !== 'CONNECT'),
)('%s of an unknown path is a 404 without Allow', async (method) => {
  const server = await build();
  const response = await server.inject({ method: method as 'GET', url: '/nope/a' });
  expect([response.statusCode, response.headers.allow]).toEqual([404, undefined]);
});

test('the metrics of unknown methods and paths have one route', async () => {
  const server = await build();
  for (const url of ['/things', '/a', '/b/c']) await server.inject({ method: 'PROPFIND', url });
  const routes = (await server.inject('/metrics')).body.match(/count\{.*method="PROPFIND".*/g);
  expect(routes).toEqual([
    expect.stringContaining('route="none",status_code="405"'),
    expect.stringContaining('route="none",status_code="404"'),
  ]);
});

describe('a query field that the route does not have', () => {
  test.each([
    ['GET', '/'],
    ['HEAD', '/health/live'],
    ['GET', '/health/live'],
    ['GET', '/health/ready'],
    ['GET', '/metrics'],
    ['GET', '/openapi.json'],
    ['GET', '/docs'],
    ['GET', '/docs/'],
    ['GET', '/docs/json'],
    ['GET', '/docs/static/swagger-ui.css'],
    ['GET', '/things/a'],
    ['PUT', '/things/a'],
  ])('is a 400: %s %s', async (method, url) => {
    const server = await build();
    const response = await server.inject({ method: method as 'GET', url: `${url}?colour=1` });
    expect(response.statusCode).toBe(400);
    if (method === 'HEAD') return;
    expect(response.json()).toMatchObject({
      type: '/problems/invalid-request',
      errors: [{ path: 'colour', message: 'is not a known field' }],
    });
    expect((await server.inject({ method: method as 'GET', url: `${url}?` })).statusCode).toBeLessThan(400);
  });

  test('is accepted by a webhook', async () => {
    const server = await build();
    expect((await server.inject({ method: 'POST', url: '/hook?a=1&a=2' })).statusCode).toBe(200);
  });

  test('adds nothing to the documentation', async () => {
    const server = await build();
    const { paths } = (await server.inject('/openapi.json')).json();
    expect(paths['/'].get.parameters).toBeUndefined();
  });
});
