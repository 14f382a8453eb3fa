import type { InjectOptions } from 'fastify';
import { describe, expect, test } from 'vitest';
import { sandboxSettingsSchema } from '../../../src/contract/sandbox-settings.ts';
import { problemSchema } from '../../../src/http/problem.ts';
import { defaultSandboxSettings } from '../../../src/provider/sandbox/sandbox.ts';
import { body, buildFakeApp, buildSandboxApp, notify } from '../fixture.ts';
import { answer, jsonOf, serve } from './fixture.ts';

const toggle = (query: string): InjectOptions => ({ method: 'POST', url: `/toggle-failure${query}` });

describe('POST /toggle-failure', () => {
  test.each([
    ['0', 0],
    ['0.5', 0.5],
    ['1', 1],
  ])('given failure_rate=%s, sets it', async (text, rate) => {
    const { app, sandbox } = await buildSandboxApp({ failure_rate: 0.25 });
    const response = await app.inject(toggle(`?failure_rate=${text}`));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'updated', failure_rate: rate });
    expect(sandbox.settings.failure_rate).toBe(rate);
  });

  test('with 1 makes sends and checks fail, and with 0 makes them succeed', async () => {
    const { app } = await buildSandboxApp();
    const statuses = async () => [
      (await app.inject(notify(body))).statusCode,
      (await app.inject('/health/upstream')).statusCode,
    ];
    await app.inject(toggle('?failure_rate=1'));
    expect(await statuses()).toEqual([503, 503]);
    await app.inject(toggle('?failure_rate=0'));
    expect(await statuses()).toEqual([200, 200]);
  });

  test.each([
    ['', 'failure_rate'],
    ['?failure_rate=', 'failure_rate'],
    ['?failure_rate=1.1', 'failure_rate'],
    ['?failure_rate=-1', 'failure_rate'],
    ['?failure_rate=abc', 'failure_rate'],
    ['?failure_rate=1e-1', 'failure_rate'],
    ['?failure_rate=0&failure_rate=1', 'failure_rate'],
    ['?failure_rate=0&rate=1', 'rate'],
  ])('given the query %j, is a 400 and changes nothing', async (query, path) => {
    const { app, sandbox } = await buildSandboxApp({ failure_rate: 0.25 });
    const response = await app.inject(toggle(query));
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ path }]);
    expect(sandbox.settings.failure_rate).toBe(0.25);
  });
});

describe('POST /sandbox', () => {
  test('changes the given settings alone, and returns all of them', async () => {
    const { set, get, sandbox } = await serve({ latency_ms: 3, hang_rate: 0.25 });
    const before = { ...defaultSandboxSettings, latency_ms: 3, hang_rate: 0.25 };
    expect(jsonOf(await get('/sandbox'))).toEqual(before);
    const after = { ...before, slow_rate: 0.5, slow_ms: 7, retry_after_s: 0 };
    const response = await set({ slow_rate: 0.5, slow_ms: 7, retry_after_s: 0 });
    expect([answer(response).status, jsonOf(response)]).toEqual([200, after]);
    expect(jsonOf(await get('/sandbox'))).toEqual(after);
    expect(sandbox.settings).toEqual(after);
    expect(jsonOf(await set({}))).toEqual(after);
    expect(jsonOf(await set({ slow_rate: 0, hang_rate: 1 }))).toEqual({
      ...after,
      slow_rate: 0,
      hang_rate: 1,
    });
  });

  test('applies from the next request on', async () => {
    const { set, send } = await serve();
    expect(answer(await send('key-1')).status).toBe(200);
    await set({ throttle_rate: 1 });
    expect(answer(await send('key-2')).status).toBe(429);
    await set({ throttle_rate: 0 });
    expect(answer(await send('key-3')).status).toBe(200);
  });

  test.each<[what: string, payload: unknown, path: string]>([
    ['a negative rate', { slow_rate: -0.1 }, 'slow_rate'],
    ['a rate of more than 1', { failure_rate: 1.1 }, 'failure_rate'],
    ['a rate that is a string', { hang_rate: '0.5' }, 'hang_rate'],
    ['null', { hang_rate: null }, 'hang_rate'],
    ['a negative time', { late_ms: -1 }, 'late_ms'],
    ['half a millisecond', { latency_ms: 0.5 }, 'latency_ms'],
    ['more than ten minutes', { slow_ms: 600_001 }, 'slow_ms'],
    ['a negative Retry-After', { retry_after_s: -1 }, 'retry_after_s'],
    ['a negative seed', { seed: -1 }, 'seed'],
    ['a seed of 33 bits', { seed: 2 ** 32 }, 'seed'],
    ['an unknown field', { slow: 1 }, 'slow'],
    ['an array', [], 'body'],
    ['no body', undefined, 'body'],
    ['rates of more than 1 together', { slow_rate: 0.6, garbage_rate: 0.6 }, 'body'],
    ['rates of more than 1 together with what is set', { slow_rate: 0.8 }, 'body'],
    ['rates of ends of more than 1 together', { undelivered_rate: 0.6, refused_rate: 0.6 }, 'body'],
    ['rates of receipts of more than 1 together', { receipt_late_rate: 1, receipt_lost_rate: 0.1 }, 'body'],
    ['a negative time of delivery', { delivery_ms: -1 }, 'delivery_ms'],
    ['a good field beside a bad one', { latency_ms: 1, slow: 1 }, 'slow'],
  ])('%s is a 400, and changes nothing', async (_what, payload, path) => {
    const { post, get } = await serve({ cut_after_rate: 0.3 });
    const before = await get('/sandbox');
    const response = await post('/sandbox', payload);
    expect(answer(response).status).toBe(400);
    expect(problemSchema.parse(jsonOf(response)).errors).toMatchObject([{ path }]);
    expect(await get('/sandbox')).toEqual(before);
  });

  test('rates of exactly 1 together are allowed, and a failure rate beside them', async () => {
    const { set } = await serve();
    const response = await set({ slow_rate: 0.25, hang_rate: 0.25, throttle_rate: 0.5, failure_rate: 1 });
    expect(answer(response).status).toBe(200);
  });

  test('faults, ends and faults of receipts are each bounded by themselves', async () => {
    const { set } = await serve();
    const response = await set({ slow_rate: 1, undelivered_rate: 1, receipt_late_rate: 1 });
    expect(answer(response).status).toBe(200);
  });

  test('given a delivery_ms of null, ends the receipts', async () => {
    const { set, sandbox } = await serve({ delivery_ms: 5 });
    expect(jsonOf(await set({ delivery_ms: null }))).toMatchObject({ delivery_ms: null });
    expect(sandbox.receipts).toEqual([]);
  });

  // As doubles, in this order, they are 1.0000000000000002.
  test('rates of 0.2, 0.4, 0.3 and 0.1 are 1 together, and allowed', async () => {
    const { set } = await serve();
    const response = await set({ slow_rate: 0.2, hang_rate: 0.4, cut_before_rate: 0.3, cut_after_rate: 0.1 });
    expect(answer(response).status).toBe(200);
  });

  test('sets the same failure rate as POST /toggle-failure', async () => {
    const { post, set, get, send } = await serve();
    expect(jsonOf(await post('/toggle-failure?failure_rate=1'))).toEqual({
      status: 'updated',
      failure_rate: 1,
    });
    expect(jsonOf(await get('/sandbox'))).toEqual({ ...defaultSandboxSettings, failure_rate: 1 });
    expect(answer(await send('key-1')).status).toBe(503);
    await set({ failure_rate: 0 });
    expect(answer(await send('key-2')).status).toBe(200);
    await set({ failure_rate: 1, latency_ms: 1 });
    await post('/toggle-failure?failure_rate=0');
    expect(jsonOf(await get('/sandbox'))).toEqual({ ...defaultSandboxSettings, latency_ms: 1 });
  });

  test('is documented in OpenAPI, with a description of each setting', async () => {
    const { get } = await serve();
    const { paths, components } = jsonOf(await get('/openapi.json'));
    expect(paths['/sandbox'].post.requestBody.content['application/json'].schema).toEqual({
      $ref: '#/components/schemas/SandboxChanges',
    });
    const { properties } = components.schemas.SandboxChanges;
    expect(Object.keys(properties).toSorted()).toEqual(Object.keys(sandboxSettingsSchema.shape).toSorted());
    for (const { description } of Object.values<{ description?: string }>(properties))
      expect(description).toMatch(/./);
  });
});

test('GET /sandbox/messages is the ledger, in order, and one customer’s on request', async () => {
  const { app, sandbox } = await buildSandboxApp();
  for (const customer_id of ['a', 'b', 'a']) await app.inject(notify({ ...body, customer_id }));
  const ledger = async (query = '') => (await app.inject(`/sandbox/messages${query}`)).json();
  expect(await ledger()).toEqual({ data: sandbox.messages });
  expect(sandbox.messages.map(({ customer_id }) => customer_id)).toEqual(['a', 'b', 'a']);
  expect(await ledger('?customer_id=a')).toEqual({ data: [sandbox.messages[0], sandbox.messages[2]] });
  expect(await ledger('?customer_id=c')).toEqual({ data: [] });
  expect((await app.inject('/sandbox/messages?phone=1')).statusCode).toBe(400);
});

test('GET /sandbox/messages has what became of each message', async () => {
  const { app, sandbox } = await buildSandboxApp({ delivery_ms: 0, refused_rate: 1 });
  await app.inject(notify(body));
  sandbox.set({ delivery_ms: 600_000 });
  await app.inject(notify(body));
  expect((await app.inject('/sandbox/messages')).json().data).toMatchObject([
    { delivery: { status: 'refused', at: expect.stringMatching(/Z$/) } },
    { delivery: null },
  ]);
});

test('a live gateway has no routes of a sandbox', async () => {
  const { app } = await buildFakeApp();
  expect((await app.inject(toggle('?failure_rate=1'))).statusCode).toBe(404);
  expect((await app.inject('/sandbox/messages')).statusCode).toBe(404);
  expect((await app.inject('/sandbox')).statusCode).toBe(404);
  expect((await app.inject({ method: 'POST', url: '/sandbox', payload: {} })).statusCode).toBe(404);
  expect((await app.inject('/health')).json().mode).toBe('live');
  const { paths } = (await app.inject('/openapi.json')).json();
  expect(Object.keys(paths).filter((path) => /toggle|sandbox/.test(path))).toEqual([]);
});
