import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import type { Server } from '../../src/http/types.ts';
import { collectProcessMetrics, durationBuckets } from '../../src/telemetry/metrics.ts';
import { buildTestServer } from '../http/fixture.ts';

async function build(metrics?: Registry): Promise<Server> {
  const { server } = await buildTestServer(metrics && { metrics });
  server.get('/things/:id', { config: { acceptsAnyQuery: true } }, async () => ({}));
  server.post('/things', async () => Promise.reject(new Error('broken')));
  return server;
}

const scrape = async (server: Server) => (await server.inject('/metrics')).body;
/** The counted requests, by their labels. */
const requestsOf = async (server: Server) =>
  Object.fromEntries(
    [...(await scrape(server)).matchAll(/^http_request_duration_seconds_count\{(.*)\} (\d+)$/gm)].map(
      ([, labels, count]) => [labels?.replaceAll(/\w+="([^"]*)",?/g, '$1 ').trim(), Number(count)],
    ),
  );

test('requests are counted by method, pattern and status code; all without a route are one series', async () => {
  const server = await build();
  for (const url of ['/things/1', '/things/2', '/things/2?secret=3', '/nope/1', '/nope/2'])
    await server.inject(url);
  await server.inject({ method: 'POST', url: '/things' });

  const requests = await requestsOf(server);

  expect(requests).toEqual({
    'GET /things/:id 200': 3,
    'GET none 404': 2,
    'POST /things 500': 1,
  });
  expect(await scrape(server)).not.toMatch(/secret|nope|things\/\d/);
});

test('a client that disconnected is counted, as 499', async () => {
  const server = await build();
  const { promise: never } = Promise.withResolvers();
  server.get('/slow', () => never);
  await server.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  const came = once(server.server, 'request');
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await came;

  socket.destroy();

  await eventually(
    () => requestsOf(server),
    (requests) => requests['GET /slow 499'] === 1,
    5000,
  );
});

test('durations are in seconds', async () => {
  const server = await build();
  await server.inject('/things/1');
  const [, sum] = (await scrape(server)).match(/^http_request_duration_seconds_sum\{.*\} (\S+)$/m) ?? [];
  expect(Number(sum)).toBeGreaterThan(0);
  expect(Number(sum)).toBeLessThan(1);
});

test("GET /metrics returns the service's registry, in its content type; apps do not share one", async () => {
  const metrics = new Registry();
  new Gauge({ name: 'answer', help: 'Of a test', registers: [metrics] }).set(42);
  const [server, other] = [await build(metrics), await build()];

  const { statusCode, headers, body } = await server.inject('/metrics');

  expect(statusCode).toBe(200);
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(body).toMatch(/^answer 42$/m);
  expect(await scrape(other)).not.toMatch(/^answer/m);
});

test('the metrics of the process are memory, CPU and event loop, and no gauge has the name of a counter', async () => {
  const registry = new Registry();
  collectProcessMetrics(registry);
  const text = await registry.metrics();
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'nodejs_eventloop_lag_p99_seconds',
  ])
    expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
  expect(text).not.toMatch(/^# TYPE \w+_total gauge$/m);
});

test.each([
  [3000, [0.5, 1, 2, 3, 4, 6, 10]],
  [2500, [0.5, 1, 1.667, 2.5, 3.333, 5, 8.333]],
  [600, [0.25, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 2]],
])('given a deadline of %i ms, durations have a bucket at it, at twice it, and at a second', (deadlineMs, last) => {
  const buckets = durationBuckets(deadlineMs);
  expect(buckets.slice(-last.length)).toEqual(last);
  expect(buckets).toEqual(expect.arrayContaining([0.001, 1, deadlineMs / 1000, deadlineMs / 500]));
});
