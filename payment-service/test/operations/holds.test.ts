import type { InjectOptions } from 'fastify';
import { accessOptions } from 'service-kit/http/access-settings.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import { problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test, vi } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { body, build, paymentOf, post, refused } from '../fixture.ts';

const reason = 'they send twice';
const put = (provider: string, payload: unknown = { reason }): InjectOptions => ({
  method: 'PUT',
  url: `/providers/${provider}/hold`,
  payload: payload as object,
});
const release = (provider: string, query = ''): InjectOptions => ({
  method: 'DELETE',
  url: `/providers/${provider}/hold${query}`,
});
const minutesFromNow = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
const keys = { maria: 'key-of-operator-1', shop: 'key-of-the-shop-1' };
const access = accessOptions(
  readConfiguration(paymentConfigSchema, {
    API_KEYS: `shop:${keys.shop}`,
    ADMIN_API_KEY: `maria:${keys.maria}`,
    SERVICE_TOKEN: 'token-of-the-services',
  }),
);
const as = (name: keyof typeof keys, request: InjectOptions): InjectOptions => ({
  ...request,
  headers: { authorization: `Bearer ${keys[name]}` },
});

describe('PUT /providers/{provider}/hold', () => {
  test('given a provider, sends through the other one from then on, until the hold is released', async () => {
    const { app, calls } = await build();
    const held = await app.inject(put('Aldeamo'));
    expect([held.statusCode, held.json()]).toMatchObject([
      201,
      { provider: 'Aldeamo', hold: { until: null, by: null, reason }, circuit: { state: 'closed' } },
    ]);
    expect(paymentOf(await app.inject(post(body)))).toMatchObject({
      notification_status: 'sent',
      notification_service: 'Twilio',
      notification: {
        attempts: [
          { provider: 'Aldeamo', outcome: 'not_sent', reason: 'provider_held' },
          { provider: 'Twilio' },
        ],
      },
    });
    const released = await app.inject(release('Aldeamo'));
    expect([released.statusCode, released.json()]).toMatchObject([200, { provider: 'Aldeamo', hold: null }]);
    expect(paymentOf(await app.inject(post(body)))).toMatchObject({ notification_service: 'Aldeamo' });
    expect(calls.map(({ provider }) => provider)).toEqual(['Twilio', 'Aldeamo']);
  });

  test('given both providers, lets payments be accepted, which wait', async () => {
    const { app, calls, store } = await build();
    for (const provider of ['Aldeamo', 'Twilio']) await app.inject(put(provider));
    const response = await app.inject(post(body));
    expect(response.statusCode).toBe(201);
    expect(paymentOf(response)).toMatchObject({ notification_status: 'pending' });
    const { next_attempt_at } = store.recorded()[0] ?? {};
    expect(Date.parse(next_attempt_at ?? '') - Date.now()).toBeLessThanOrEqual(30_001);
    expect(calls).toEqual([]);
    expect((await app.inject('/health')).json()).toMatchObject({
      status: 'unhealthy',
      reasons: ['Aldeamo: held', 'Twilio: held'],
      current_notification_service: null,
    });
  });

  test('given a hold in force, replaces all of it but since when it lasts', async () => {
    const { app } = await build({ access });
    const first = await app.inject(as('maria', put('Twilio')));
    const until = minutesFromNow(30);
    const second = await app.inject(as('maria', put('Twilio', { reason: 'until tonight', until })));
    expect([first.statusCode, second.statusCode]).toEqual([201, 200]);
    expect(second.json().hold).toEqual({
      ...{ since: first.json().hold.since, until },
      ...{ by: 'maria', reason: 'until tonight' },
    });
  });

  test('takes a time with an offset, and returns it in UTC', async () => {
    const { app } = await build();
    const until = minutesFromNow(60);
    const inBogota = `${new Date(Date.parse(until) - 5 * 3_600_000).toISOString().slice(0, -1)}-05:00`;
    expect((await app.inject(put('Aldeamo', { reason, until: inBogota }))).json().hold.until).toBe(until);
  });

  test.each<[what: string, payload: unknown, path: string]>([
    ['no reason', {}, 'reason'],
    ['a blank reason', { reason: ' ' }, 'reason'],
    ['a reason with a phone', { reason: 'asked by +573001234567' }, 'reason'],
    ['a time that is past', { reason, until: minutesFromNow(-1) }, 'until'],
    ['a time in more than a year', { reason, until: minutesFromNow(367 * 24 * 60) }, 'until'],
    ['what is no time', { reason, until: 'tomorrow' }, 'until'],
    ['an unknown field', { reason, by: 'juan' }, 'by'],
  ])('given %s, is a 400 that names it, and holds nothing', async (_what, payload, path) => {
    const { app } = await build();
    const response = await app.inject(put('Aldeamo', payload));
    expect(response.statusCode).toBe(400);
    expect(problemSchema.parse(response.json())).toMatchObject({ errors: [{ path }] });
    expect((await app.inject('/providers')).json().data).toMatchObject([{ hold: null }, { hold: null }]);
  });

  test('given no such provider, is a 400', async () => {
    const { app } = await build();
    const response = await app.inject(put('Infobip'));
    expect([response.statusCode, response.json().errors[0].path]).toEqual([400, 'provider']);
  });

  test('given a store that is unavailable, is a 503, and holds nothing', async () => {
    const { app, store } = await build();
    store.locked = true;
    expect((await app.inject(put('Aldeamo'))).statusCode).toBe(503);
    expect((await app.inject(release('Aldeamo'))).statusCode).toBe(503);
    store.locked = false;
    expect(paymentOf(await app.inject(post(body)))).toMatchObject({ notification_service: 'Aldeamo' });
  });

  test('given a store that becomes unavailable once the hold is recorded, says so and not that nothing has changed', async () => {
    const { app, store } = await build({ keepsRecords: true });
    vi.spyOn(store, 'readControls').mockRejectedValue(new StoreUnavailable('the store does not answer'));
    const held = await app.inject(put('Aldeamo'));
    expect([held.statusCode, held.json()]).toMatchObject([201, { hold: { reason } }]);
    expect(paymentOf(await app.inject(post(body)))).toMatchObject({ notification_service: 'Twilio' });
    const released = await app.inject(release('Aldeamo'));
    expect([released.statusCode, released.json()]).toMatchObject([200, { hold: null }]);
  });

  test('is logged with who and why, and so is the release', async () => {
    const { app, lines } = await build({ access });
    await app.inject(as('maria', put('Aldeamo')));
    await app.inject(as('maria', release('Aldeamo', '?reason=solved')));
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ msg: 'provider held', provider: 'Aldeamo', by: 'maria', reason }),
        expect.objectContaining({ msg: 'provider released', by: 'maria', reason: 'solved' }),
      ]),
    );
  });
});

test('DELETE /providers/{provider}/hold of a provider that is not held is a 404', async () => {
  const { app } = await build();
  await app.inject(put('Twilio'));
  const response = await app.inject(release('Aldeamo'));
  expect([response.statusCode, response.json().type]).toEqual([404, '/problems/hold-not-found']);
  expect((await app.inject(release('Twilio'))).statusCode).toBe(200);
  expect((await app.inject(release('Twilio'))).statusCode).toBe(404);
});

describe('GET /providers', () => {
  test('shows a client the hold and the circuit of each provider', async () => {
    const { app, clients } = await build({ access });
    clients.Aldeamo.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await app.inject({
        ...post(body),
        headers: { ...post(body).headers, authorization: `Bearer ${keys.shop}` },
      });
    await app.inject(as('maria', put('Twilio')));
    expect((await app.inject(as('shop', { url: '/providers' }))).json()).toMatchObject({
      data: [
        { provider: 'Aldeamo', hold: null, circuit: { state: 'open', held: null } },
        {
          provider: 'Twilio',
          hold: { until: null, by: 'maria', reason },
          circuit: { state: 'closed', held: { until: null } },
        },
      ],
    });
  });

  test('given a hold that another replica has set since, shows it', async () => {
    const { app, store } = await build();
    await store.putHold('Aldeamo', { since: minutesFromNow(0), until: null, by: 'juan', reason });
    expect((await app.inject('/providers')).json().data[0]).toMatchObject({ hold: { by: 'juan' } });
  });

  test('given a hold that has ended by itself, shows none, and health is as before', async () => {
    const { app, store } = await build();
    await store.putHold('Aldeamo', {
      since: minutesFromNow(-2),
      until: minutesFromNow(-1),
      by: null,
      reason,
    });
    expect((await app.inject('/providers')).json().data[0]).toMatchObject({ hold: null });
    expect((await app.inject('/health')).json()).toMatchObject({ status: 'healthy', reasons: [] });
  });
});

test('GET /health shows that a provider is held, neither by whom nor why', async () => {
  const { app } = await build({ access });
  await app.inject(as('maria', put('Aldeamo')));
  const { body: text } = await app.inject('/health');
  expect(JSON.parse(text)).toMatchObject({
    status: 'degraded',
    reasons: ['Aldeamo: held'],
    circuits: { Aldeamo: { state: 'closed', held: { until: null } }, Twilio: { held: null } },
  });
  expect(text).not.toMatch(/maria|they send twice/);
});

describe('given replicas on one store', () => {
  test('a recovery by one of them has the others check Aldeamo, and close their circuits', async () => {
    const first = await build();
    const others = [await build({ store: first.store }), await build({ store: first.store })];
    const stateOf = async ({ app }: (typeof others)[number]) =>
      (await app.inject('/health')).json().circuits.Aldeamo.state;
    for (const { app, clients } of others) {
      clients.Aldeamo.answer = async () => refused;
      for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
        await app.inject(post(body));
    }
    const [healthy, unhealthy] = others as [(typeof others)[0], (typeof others)[0]];
    unhealthy.clients.Aldeamo.well = false;
    expect([await stateOf(healthy), await stateOf(unhealthy)]).toEqual(['open', 'open']);
    const payload = { reason: 'the provider says that it is back' };
    const { statusCode } = await first.app.inject({ method: 'POST', url: '/force-recovery', payload });
    expect(statusCode).toBe(200);
    await vi.waitFor(async () => expect(await stateOf(healthy)).toBe('closed'), 2000);
    await vi.waitFor(() =>
      expect(unhealthy.lines).toContainEqual(
        expect.objectContaining({ provider: 'Aldeamo', is_healthy: false }),
      ),
    );
    expect(await stateOf(unhealthy)).toBe('open');
  });

  test('a hold by one of them holds for the others', async () => {
    const first = await build();
    const other = await build({ store: first.store });
    await first.app.inject(put('Aldeamo'));
    await vi.waitFor(async () => {
      expect((await other.app.inject('/health')).json().reasons).toEqual(['Aldeamo: held']);
    }, 2000);
    expect(paymentOf(await other.app.inject(post(body)))).toMatchObject({ notification_service: 'Twilio' });
  });
});

describe('POST /force-recovery', () => {
  const recover = (payload?: object): InjectOptions => ({
    method: 'POST',
    url: '/force-recovery',
    ...(payload && { payload }),
  });

  test('logs who asked for it and why', async () => {
    const { app, lines } = await build({ access });
    expect((await app.inject(as('maria', recover({ reason: 'they are back' })))).statusCode).toBe(200);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'recovery requested', by: 'maria', reason: 'they are back' }),
    );
  });

  test('given a reason with a phone, is a 400', async () => {
    const { app } = await build();
    const response = await app.inject(recover({ reason: '+573001234567' }));
    expect([response.statusCode, response.json().errors[0].path]).toEqual([400, 'reason']);
  });

  test('given an unhealthy Aldeamo, asks no other replica', async () => {
    const { app, clients, store } = await build();
    clients.Aldeamo.well = false;
    expect((await app.inject(recover())).statusCode).toBe(503);
    expect(await store.readControls()).toEqual([]);
  });

  test('given a store that is unavailable, closes the circuit of this replica, and says that others may not', async () => {
    const { app, clients, store } = await build();
    clients.Aldeamo.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await app.inject(post(body));
    store.locked = true;
    const response = await app.inject(recover());
    expect([response.statusCode, response.json()]).toMatchObject([
      503,
      { type: '/problems/store-unavailable', detail: expect.stringContaining('of this replica is closed') },
    ]);
    expect((await app.inject('/health')).json().circuits.Aldeamo.state).toBe('closed');
  });
});
