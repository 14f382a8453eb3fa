import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createLogger } from '../../src/http/start.ts';
import { contextOf, correlationHeaders, inSpan, runCorrelated } from '../../src/telemetry/correlation.ts';
import { buildTestServer, connectTo } from '../http/fixture.ts';

const trace_id = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${trace_id}-b7ad6b7169203331-01`;

async function build() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const { server } = await buildTestServer({ logger });
  // The app's own logger, after a body in pieces and a pause, because lines may be written anywhere.
  server.post('/things', { schema: { body: z.object({ name: z.string() }) } }, async ({ body, log }) => {
    log.info({ name: body.name }, 'by the request');
    await delay(1);
    logger.info({ name: body.name }, 'by the app');
    return correlationHeaders();
  });
  server.get('/broken', async () => {
    throw new Error('broken');
  });
  const post = (name: string, headers: Record<string, string> = {}) =>
    server.inject({ method: 'POST', url: '/things', headers, payload: { name } });
  return { server, lines, post };
}

test('the trace and the id of a request are in its log lines and its calls, and the id in the response', async () => {
  const { lines, post } = await build();
  const headers = { traceparent, tracestate: 'vendor=1', 'x-request-id': 'order-17' };
  const response = await post('x', headers);
  expect(response.headers['x-request-id']).toBe('order-17');
  expect(lines).toMatchObject([
    { msg: 'by the request', trace_id, request_id: 'order-17' },
    { msg: 'by the app', trace_id, request_id: 'order-17' },
  ]);
  expect(response.json()).toMatchObject({ tracestate: 'vendor=1', 'x-request-id': 'order-17' });
  expect(response.json().traceparent).toMatch(new RegExp(`^00-${trace_id}-[0-9a-f]{16}-01$`));
});

test('given a request without ids, creates them', async () => {
  const { lines, post } = await build();
  const { headers, ...response } = await post('x');
  expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(lines[0]).toMatchObject({
    trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    request_id: headers['x-request-id'],
  });
  expect(response.json().traceparent).toContain(lines[0]?.trace_id);
});

test.each([
  ['all zeros', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
  ['a parent of zeros', `00-${trace_id}-${'0'.repeat(16)}-01`],
  ['capitals', traceparent.toUpperCase()],
  ['the forbidden version', `ff${traceparent.slice(2)}`],
  ['something behind it', `${traceparent}-x`],
  ['no trace at all', 'trace me'],
])('given a traceparent of %s, starts another trace', async (_name, given) => {
  const { lines, post } = await build();
  await post('x', { traceparent: given });
  expect(lines[0]?.trace_id).toMatch(/^[0-9a-f]{32}$/);
  expect(lines[0]?.trace_id).not.toBe(trace_id);
});

test('a trace that is not sampled is propagated as not sampled', async () => {
  const { post } = await build();
  const response = await post('x', { traceparent: `00-${trace_id}-b7ad6b7169203331-00` });
  expect(response.json().traceparent).toMatch(/-00$/);
});

test.each([
  '573001234567',
  '300-123-4567',
  '300_123_4567',
  '+573001234567',
  'p573001234567',
  'P3001234567',
  'c1234567',
  'x123456789012345',
  'p57-300-123-4567',
  'p-573001234567',
  'tel-3001234567',
  'TEL573001234567',
  '00573001234567',
  'a'.repeat(129),
  'two words',
  'a,b',
  '<b>',
  '',
])('given x-request-id %j, creates another id', async (given) => {
  const { post } = await build();
  const { headers } = await post('x', { 'x-request-id': given });
  expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test.each([
  '0199c1d2-e3f4-7a5b-8c9d-0e1f2a3b4c5d',
  '12345678-1234-4234-8234-123456789012',
  '0af7651916cd43dd8448eb211c80319c',
  'b7ad6b7169203331',
  '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  'V1StGXR8_Z5jdHi6B-myT',
  'order-1234567',
  'req_123456789012',
  'p123456',
  '17',
  '1234567890123456',
  '1580661436132757506',
])('given x-request-id %j, takes it over', async (given) => {
  const { post } = await build();
  const { headers } = await post('x', { 'x-request-id': given });
  expect(headers['x-request-id']).toBe(given);
});

test('requests that run at the same time do not mix their ids', async () => {
  const { lines, post } = await build();
  const names = Array.from({ length: 50 }, (_, at) => `name-${at}`);
  await Promise.all(names.map((name) => post(name, { 'x-request-id': name })));
  expect(lines).toHaveLength(100);
  for (const { name, request_id } of lines) expect(request_id).toBe(name);
});

test('requests of one connection, whose bodies arrive in pieces, have ids of their own', async () => {
  const { server, lines } = await build();
  const socket = await connectTo(server);
  for (const id of ['first', 'second']) {
    const body = JSON.stringify({ name: id });
    socket.write(
      `POST /things HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    const [request] = await once(server.server, 'request');
    const isRead = once(request, 'data');
    socket.write(body.slice(0, 5));
    await isRead; // by itself, as a piece of its own
    socket.write(body.slice(5));
    await once(socket, 'data');
  }
  const [_listening, ...ofRequests] = lines;
  expect(ofRequests.map(({ name, request_id }) => [name, request_id])).toEqual([
    ['first', 'first'],
    ['first', 'first'],
    ['second', 'second'],
    ['second', 'second'],
  ]);
});

test('the log lines of errors have the ids, too', async () => {
  const { server, lines } = await build();
  const broken = await server.inject({
    url: '/broken',
    headers: { 'x-request-id': 'order-17', traceparent },
  });
  expect(broken.headers['x-request-id']).toBe('order-17');
  expect(lines).toMatchObject([{ msg: 'request failed', trace_id, request_id: 'order-17' }]);
  const missing = await server.inject({ url: '/nope', headers: { 'x-request-id': 'order-18' } });
  expect(missing.headers['x-request-id']).toBe('order-18');
});

test('work outside of a request has no ids', () => {
  expect(correlationHeaders()).toEqual({});
});

test('a span within a trace belongs to it, even if it is not recorded', async () => {
  const correlation = { context: contextOf({ traceparent }), request_id: 'order-17' };
  const within = await runCorrelated(correlation, () => inSpan('work', {}, async () => correlationHeaders()));
  expect(within['x-request-id']).toBe('order-17');
  expect(within.traceparent).toContain(trace_id);
});
