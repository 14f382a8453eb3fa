import type { InjectOptions } from 'fastify';
import { expect, test } from 'vitest';
import { body, build, reason } from '../fixture.ts';

const phone = '+573001234567';
const receipt = {
  provider: 'Twilio',
  message_id: 'SM1',
  idempotency_key: 'a',
  status: 'delivered',
  reason: null,
};

/** A valid body of each route that requires one, so that the query is all that is wrong. */
const bodies: Record<string, unknown> = {
  'post /payments': body,
  'post /payments/{payment_id}/notification/resend': { reason },
  'post /payments/{payment_id}/notification/cancel': { reason },
  'put /customers/{customer_id}': { phone },
  'post /receipts': receipt,
  'post /suppressions': { phone, reason: 'asked us to' },
  'post /suppressions/search': { phone },
  'put /providers/{provider}/hold': { reason: 'they send twice' },
  'post /opt-outs': { provider: 'Twilio', phone, keyword: 'stop', message_id: 'SM1' },
  'post /sandbox/{provider}': {},
  'post /webhook-deliveries/replay': { since: '2026-01-01T00:00:00Z' },
};

test('given a query field that it does not have, each route is a 400 that names it, and changes nothing', async () => {
  const { app, store, calls } = await build();
  const { paths } = (await app.inject('/openapi.json')).json();
  const documented = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const hidden = ['/metrics', '/openapi.json', '/docs', '/live/main.js', '/live/uplot/uPlot.esm.js'];
  const routes = [...documented, ...hidden.map((path) => `get ${path}`)];
  expect(routes.length).toBeGreaterThan(20);
  for (const route of routes) {
    const [method, path = ''] = route.split(' ');
    const url = `${path.replace('{provider}', 'Aldeamo').replace(/\{\w+\}/, 'x')}?colour=red`;
    const payload = bodies[route] as NonNullable<InjectOptions['payload']>;
    const response = await app.inject({ method: method as 'GET', url, ...(payload && { payload }) });
    expect({ route, status: response.statusCode, errors: response.json().errors }).toEqual({
      route,
      status: 400,
      errors: [{ path: 'colour', message: 'is not a known field' }],
    });
  }
  expect([store.recorded(), calls]).toEqual([[], []]);
});

test.each([
  ['POST', '/live/main.js', 'GET, HEAD'],
  ['PUT', '/live/events', 'GET, HEAD'],
  ['DELETE', '/events', 'GET, HEAD'],
  ['GET', '/webhook-deliveries/replay', 'POST'],
  ['DELETE', '/payments', 'GET, HEAD, POST'],
  ['PATCH', '/customers/1', 'DELETE, GET, HEAD, PUT'],
  ['GET', '/receipts', 'POST'],
])('%s %s is a 405 that allows %s', async (method, url, allow) => {
  const { app } = await build();
  const response = await app.inject({ method: method as 'GET', url });
  expect([response.statusCode, response.headers.allow]).toEqual([405, allow]);
});
