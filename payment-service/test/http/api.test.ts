import type { Outcome } from 'service-kit/contract/notification.ts';
import { problemContentType, problemSchema } from 'service-kit/http/problem.ts';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { healthSchema } from '../../src/delivery/health.ts';
import { paymentViewSchema } from '../../src/domain/payment-view.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { providerReportSchema } from '../../src/providers/circuit-report.ts';
import { body, build, paymentOf, post, refused } from '../fixture.ts';

describe('GET /payments', () => {
  const pageSchema = z.strictObject({ data: z.array(paymentViewSchema), has_more: z.boolean() });

  async function buildWithPayments(count: number) {
    const built = await build();
    const ids: string[] = [];
    for (let number = 0; number < count; number += 1) {
      built.clients.Aldeamo.answer = async () =>
        number % 2 === 0
          ? { outcome: 'accepted', message_id: `sms-${number}` }
          : { outcome: 'rejected', reason: 'opted_out' };
      const customer_id = number % 3 === 0 ? 'ana' : 'bea';
      ids.unshift(paymentOf(await built.app.inject(post({ ...body, customer_id }))).payment_id);
    }
    const page = async (query: string) => {
      const response = await built.app.inject(`/payments${query}`);
      expect(response.statusCode).toBe(200);
      const { data, has_more } = pageSchema.parse(response.json());
      expect(response.json().data).toEqual(data); // no field that the schema lacks
      return { ids: data.map(({ payment_id }) => payment_id), has_more };
    };
    return { page, ids };
  }

  test('given no payments, returns an empty page', async () => {
    const { app } = await build();
    expect((await app.inject('/payments')).json()).toEqual({ data: [], has_more: false });
  });

  test('returns the 10 newest by default, and continues after a cursor', async () => {
    const { page, ids } = await buildWithPayments(12);
    expect(await page('')).toEqual({ ids: ids.slice(0, 10), has_more: true });
    expect(await page(`?starting_after=${ids[9]}`)).toEqual({ ids: ids.slice(10), has_more: false });
    expect(await page('?limit=12')).toEqual({ ids, has_more: false });
    expect(await page('?limit=11')).toEqual({ ids: ids.slice(0, 11), has_more: true });
    expect(await page('?limit=100')).toEqual({ ids, has_more: false });
  });

  test('filters by customer and by notification status', async () => {
    const { page, ids } = await buildWithPayments(7);
    const where = (matches: (number: number) => boolean) => ({
      ids: ids.filter((_, index) => matches(ids.length - 1 - index)),
      has_more: false,
    });
    expect(await page('?customer_id=ana')).toEqual(where((number) => number % 3 === 0));
    expect(await page('?notification_status=failed')).toEqual(where((number) => number % 2 === 1));
    expect(await page('?customer_id=ana&notification_status=sent')).toEqual(
      where((number) => number % 6 === 0),
    );
    expect(await page('?customer_id=carla')).toEqual(where(() => false));
    expect(await page('?notification_status=delivered')).toEqual(where(() => false));
  });
});

describe('the circuit breaker', () => {
  const at = '2026-01-01T00:00:00.000Z';
  const reportSchema = providerReportSchema.strict();
  const reportedSchema = healthSchema
    .extend({
      version: z.literal('1.2.3'),
      current_notification_service: z.enum(['Aldeamo', 'Twilio']).nullable(),
      circuits: z.strictObject({ Aldeamo: reportSchema, Twilio: reportSchema }),
    })
    .strict();

  async function buildWithOpenCircuit() {
    const built = await build();
    built.clients.Aldeamo.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await built.app.inject(post(body));
    built.calls.length = 0;
    const health = async () => reportedSchema.parse((await built.app.inject('/health')).json());
    return { ...built, health };
  }

  test('is reported by GET /health, with the active provider', async () => {
    const { app } = await build();
    const response = await app.inject('/health');
    expect(response.statusCode).toBe(200);
    expect(reportedSchema.parse(response.json())).toMatchObject({
      status: 'healthy',
      reasons: [],
      current_notification_service: 'Aldeamo',
      circuits: {
        Aldeamo: { state: 'closed', consecutive_failures: 0, calls: 0, failures: 0 },
        Twilio: { state: 'closed' },
      },
    });
  });

  // A field that the schema lacked would be missing in /openapi.json, which is made from it.
  test('is reported by GET /health without a field that the schema lacks', async () => {
    const { app } = await build();
    const { Aldeamo } = (await app.inject('/health')).json().circuits;
    expect(providerReportSchema.parse(Aldeamo)).toEqual(Aldeamo);
  });

  test('given consecutive failures, opens, so that Twilio sends and Aldeamo is not called', async () => {
    const { app, calls, health } = await buildWithOpenCircuit();
    expect(await health()).toMatchObject({
      status: 'degraded',
      reasons: ['Aldeamo: circuit_open'],
      current_notification_service: 'Twilio',
      circuits: { Aldeamo: { state: 'open', reason: expect.stringContaining('connection_refused') } },
    });
    const payment = paymentOf(await app.inject(post(body)));
    expect(payment).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });
    expect(payment.notification.attempts).toMatchObject([
      { provider: 'Aldeamo', outcome: 'not_sent', reason: 'circuit_open' },
      { provider: 'Twilio', outcome: 'accepted' },
    ]);
    expect(calls.map(({ provider }) => provider)).toEqual(['Twilio']);
  });

  test('given an account that Twilio refuses, is reported as degraded by GET /health with 200', async () => {
    const { app, clients } = await build();
    const account = { state: 'refused', reason: 'credentials', since: at, balance: null } as const;
    clients.Twilio.state = { mode: 'live', account };
    await vi.waitFor(
      async () => {
        const response = await app.inject('/health');
        expect(response.statusCode).toBe(200);
        expect(reportedSchema.parse(response.json())).toMatchObject({
          status: 'degraded',
          reasons: ['Twilio: circuit_open', 'Twilio: account_refused'],
          current_notification_service: 'Aldeamo',
          circuits: { Twilio: { reason: 'account_refused: credentials', account } },
        });
      },
      { timeout: 5000 },
    );
  });

  test('given two providers that fail, is reported as unhealthy by GET /health with 200', async () => {
    const { app, clients, health } = await buildWithOpenCircuit();
    clients.Twilio.answer = async () => refused;
    for (let failure = 0; failure < circuitBreakerDefaults.consecutiveFailures; failure += 1)
      await app.inject(post(body));
    expect((await app.inject('/health')).statusCode).toBe(200);
    expect(await health()).toMatchObject({
      status: 'unhealthy',
      reasons: ['Aldeamo: circuit_open', 'Twilio: circuit_open'],
      current_notification_service: null,
    });
  });

  test('given a store that is unavailable, is reported as unhealthy by GET /health with 200', async () => {
    const { app, store } = await build();
    vi.spyOn(store, 'check').mockRejectedValue(new Error('gone'));
    const response = await app.inject('/health');
    expect(response.statusCode).toBe(200);
    expect(reportedSchema.parse(response.json())).toMatchObject({
      status: 'unhealthy',
      reasons: ['store_unavailable'],
      current_notification_service: 'Aldeamo',
    });
  });

  test.each([
    '/force-recovery',
    '/reset-circuit',
  ])('given a healthy Aldeamo, is closed by POST %s', async (url) => {
    const { app, clients, health } = await buildWithOpenCircuit();
    clients.Aldeamo.well = true;
    const response = await app.inject({ method: 'POST', url });
    expect(response.statusCode).toBe(200);
    expect(
      z.strictObject({ status: z.literal('closed'), circuit: reportSchema }).parse(response.json()).circuit
        .state,
    ).toBe('closed');
    expect((await health()).current_notification_service).toBe('Aldeamo');
  });

  test.each([
    '/force-recovery',
    '/reset-circuit',
  ])('given an unhealthy Aldeamo, stays open after POST %s', async (url) => {
    const { app, clients, health } = await buildWithOpenCircuit();
    clients.Aldeamo.well = false;
    const response = await app.inject({ method: 'POST', url });
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(problemSchema.parse(response.json()).type).toBe('/problems/provider-unhealthy');
    expect((await health()).circuits.Aldeamo).toMatchObject({
      state: 'open',
      reason: '3 failures in a row, the last: connection_refused',
      last_check: { reason: 'the check by hand failed: http_503' },
    });
  });
});

test('GET / returns the name and the status of the service', async () => {
  const { app } = await build();
  expect((await app.inject('/')).json()).toEqual({ message: 'Servicio de Pagos', status: 'online' });
});

test('GET /openapi.json documents every route with its status codes', async () => {
  const ofTheServer = ['401', '403', '413', '414', '415', '421', '429'];
  const { app } = await build();
  const { paths } = (await app.inject('/openapi.json')).json();
  const statuses = Object.entries<Record<string, { responses: object }>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]) => [
      `${method.toUpperCase()} ${path}`,
      Object.keys(responses)
        .filter((status) => !ofTheServer.includes(status))
        .join(),
    ]),
  );
  expect(Object.fromEntries(statuses)).toEqual({
    'DELETE /customers/{customer_id}': '204,400,404,500,503',
    'GET /': '200,400,500,503',
    'GET /customers/{customer_id}': '200,400,404,500,503',
    'POST /receipts': '204,400,404,409,500,503',
    'POST /sandbox/{provider}': '200,400,404,500,502,503',
    'PUT /customers/{customer_id}': '200,201,400,500,503',
    'POST /suppressions': '200,201,400,500,503',
    'POST /suppressions/search': '200,400,500,503',
    'GET /suppressions': '200,400,500,503',
    'GET /suppressions/{suppression_id}': '200,400,404,500,503',
    'DELETE /suppressions/{suppression_id}': '204,400,404,500,503',
    'POST /opt-outs': '204,400,500,503',
    'GET /customers/{customer_id}/data': '200,400,500,503',
    'POST /customers/{customer_id}/erasure': '200,400,500,503',
    'GET /events': '200,400,409,410,500,503',
    'GET /webhook-deliveries': '200,400,409,500,503',
    'POST /webhook-deliveries/replay': '202,400,409,500,503',
    'POST /webhook-deliveries/{event_id}/replay': '202,400,404,409,500,503',
    'GET /history': '200,400,409,500,503',
    'GET /statistics': '200,400,409,500,503',
    'GET /live/events': '200,400,500,503',
    'GET /health': '200,400,500,503',
    'GET /health/live': '200,400,500',
    'GET /problems/{name}': '200,400,404,500,503',
    'GET /health/ready': '200,400,500,503',
    'POST /payments': '201,202,400,409,422,500,503',
    'POST /payments/{payment_id}/notification/resend': '200,400,404,409,422,500,503',
    'POST /payments/{payment_id}/notification/cancel': '200,400,404,409,500,503',
    'POST /notifications/retry': '200,202,400,409,500,503',
    'GET /payments': '200,400,500,503',
    'GET /payments/{payment_id}': '200,400,404,500,503',
    'PUT /providers/{provider}/hold': '200,201,400,500,503',
    'DELETE /providers/{provider}/hold': '200,400,404,500,503',
    'GET /providers': '200,400,500,503',
    'GET /me': '200,400,500,503',
    'POST /force-recovery': '200,400,500,503',
    'POST /reset-circuit': '200,400,500,503',
  });
});

describe('the log', () => {
  test.each<[string, Outcome, object]>([
    ['sent', { outcome: 'accepted', message_id: 'sms-1' }, { provider: 'Aldeamo', outcome: 'accepted' }],
    [
      'rejected',
      { outcome: 'rejected', reason: 'opted_out' },
      { provider: null, outcome: 'rejected', reason: 'opted_out' },
    ],
    ['sent after a failover', refused, { provider: 'Twilio', outcome: 'accepted' }],
  ])('given a notification that was %s, has one line for it', async (_name, outcome, expected) => {
    const { app, clients, lines } = await build();
    clients.Aldeamo.answer = async () => outcome;
    const { payment_id } = paymentOf(await app.inject(post(body)));
    await app.inject(`/payments/${payment_id}`);
    expect(lines).toMatchObject([
      { msg: 'notification handled', payment_id, duration_ms: expect.any(Number), retries: 0, ...expected },
    ]);
  });

  test('given a request during an outage of the store, has a warning with the cause and without a stack', async () => {
    const { app, store, lines } = await build();
    store.locked = true;
    expect((await app.inject(post(body))).statusCode).toBe(503);
    const line = lines.find(({ msg }) => msg === 'a request was refused during an outage');
    expect(line?.level).toBe(40);
    expect(line?.err).toEqual({
      type: 'StoreUnavailable',
      message: 'the store does not answer: database is locked',
    });
  });

  test('contains neither text nor phone, whether a request succeeds or fails', async () => {
    const { app, store, clients, lines } = await build();
    const secret = { ...body, message: 'texto secreto', phone: '+573009999999' };
    const statuses = [(await app.inject(post(secret))).statusCode];
    clients.Aldeamo.answer = async () => refused;
    statuses.push((await app.inject(post(secret))).statusCode);
    clients.Aldeamo.answer = () => Promise.reject(new Error('a bug of the client'));
    statuses.push((await app.inject(post(secret))).statusCode);
    statuses.push((await app.inject(post({ ...secret, phone: '573009999999000000' }))).statusCode);
    statuses.push((await app.inject(post('{"phone":"573009999999","message":"texto secreto"'))).statusCode);
    store.locked = true;
    statuses.push((await app.inject(post(secret))).statusCode);
    expect(statuses).toEqual([201, 201, 201, 400, 400, 503]);
    expect(lines.length).toBeGreaterThanOrEqual(4);
    expect(JSON.stringify(lines)).not.toMatch(/secreto|573009999999/);
  });
});

test('closing the app closes the clients and the store', async () => {
  const { app, clients, store } = await build();
  await app.close();
  expect([clients.Aldeamo.closed, clients.Twilio.closed]).toEqual([true, true]);
  await expect(store.check()).rejects.toThrow();
});
