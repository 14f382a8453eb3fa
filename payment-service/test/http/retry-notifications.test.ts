import { accessOptions } from 'service-kit/http/access-settings.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import { describe, expect, test } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';
import type { Attempt, Payment } from '../../src/domain/payment.ts';
import { LeaseLost, StoreUnavailable } from '../../src/store/store.ts';
import { build, post, reason } from '../fixture.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { paymentNumber } from '../store/store-contract.ts';

const rejected: Attempt = {
  ...{ provider: 'Aldeamo', outcome: 'rejected', reason: 'opted_out', message_id: null, mode: null },
  ...{ started_at: '2026-01-01T00:00:00.000Z', duration_ms: 1, phone_last4: null, deliveries: [] },
};

const retry = (query: string, payload: object = { reason, count: 0 }) => ({
  ...post(payload),
  url: `/notifications/retry?${query}`,
});
const count = (query: string) => ({
  method: 'POST' as const,
  url: `/notifications/retry?dry_run=true&${query}`,
});

/** What an outage has left, and what no retry includes. */
const left: Partial<Payment>[] = [
  { notification_status: 'failed', reason: 'expired' },
  { notification_status: 'failed', reason: 'expired', client: 'portal' },
  { notification_status: 'held', reason: 'unknown_outcome', client: 'portal' },
  { notification_status: 'failed', reason: 'opted_out', attempts: [rejected] },
  { notification_status: 'failed', reason: 'suppressed' },
  { notification_status: 'cancelled', reason: 'by_hand' },
  { next_attempt_at: '2998-01-01T00:00:00.000Z' },
  { notification_status: 'sent' },
  { notification_status: 'delivered' },
];

async function buildLeft(options: Parameters<typeof build>[0] = {}) {
  const built = await build(options);
  const store = options.store ?? built.store;
  for (const [index, fields] of left.entries()) await store.insert(paymentNumber(index + 1, fields));
  return built;
}

const retriedOf = (payments: Payment[]) => payments.filter(({ actions }) => actions.length > 0);

describe('POST /notifications/retry', () => {
  test.each([
    ['created_after=2020-01-01T00:00:00Z', 3],
    ['notification_status=failed', 2],
    ['notification_status=held', 1],
    ['notification_status=held&notification_status=failed', 3],
    ['client=portal', 2],
    ['client=portal&notification_status=held', 1],
    ['reason=expired', 2],
    ['possible_duplicate=false', 3],
    ['reason=nothing', 0],
  ])('given a dry run with %s, counts %i, and changes nothing', async (query, expected) => {
    const { app, store } = await buildLeft();
    const before = store.recorded();
    const response = await app.inject(count(query));
    expect([response.statusCode, response.json()]).toEqual([200, { count: expected }]);
    expect(store.recorded()).toEqual(before);
  });

  test('given the count, has those that match become due, each with its action', async () => {
    const { app, store, lines } = await buildLeft();
    store.claimDue = async () => []; // the outbox would send them
    const response = await app.inject(retry('client=portal', { reason, count: 2 }));
    expect([response.statusCode, response.json()]).toEqual([202, { retried: 2, skipped: 0 }]);
    const retried = retriedOf(store.recorded());
    expect(retried.map(({ client }) => client)).toEqual(['portal', 'portal']);
    for (const payment of retried) {
      expect(payment).toMatchObject({
        ...{ notification_status: 'pending', reason: null },
        actions: [{ action: 'retry', by: null, reason, provider: null, request: null }],
      });
      expect(Date.parse(payment.next_attempt_at ?? '')).toBeLessThanOrEqual(Date.now());
      expect(Date.parse(payment.expires_at)).toBeGreaterThan(Date.now());
    }
    expect(lines.filter(({ msg }) => msg === 'operator action')).toHaveLength(2);
    expect(lines.find(({ msg }) => msg === 'notifications retried')).toMatchObject({ reason, retried: 2 });
    const again = await app.inject(retry('client=portal', { reason, count: 2 }));
    expect([again.statusCode, again.json()]).toMatchObject([
      409,
      { type: '/problems/count-changed', detail: '0 notifications match, and not 2.', count: 0 },
    ]);
  });

  test('has the outbox send them', async () => {
    const { app, store, calls } = await buildLeft();
    await app.inject(retry('reason=expired', { reason, count: 2 }));
    await expect.poll(() => calls.length, { timeout: 5000 }).toBe(2);
    await expect
      .poll(() => retriedOf(store.recorded()).map(({ notification_status }) => notification_status))
      .toEqual(['sent', 'sent']);
  });

  test.each([1, 3])('given %i where 2 match, responds 409 and retries none', async (given) => {
    const { app, store } = await buildLeft();
    const response = await app.inject(retry('client=portal', { reason, count: given }));
    expect([response.statusCode, response.json().count]).toEqual([409, 2]);
    expect(retriedOf(store.recorded())).toEqual([]);
  });

  test('names the key of the operator', async () => {
    const settings = {
      ...{ ADMIN_API_KEY: 'maria:key-of-operator-1', API_KEYS: 'shop:key-of-the-shop-1' },
      SERVICE_TOKEN: 'token-of-the-services',
    };
    const access = accessOptions(readConfiguration(paymentConfigSchema, settings));
    const { app, store } = await buildLeft({ access });
    store.claimDue = async () => [];
    const request = retry('reason=unknown_outcome', { reason, count: 1 });
    const headers = { ...request.headers, authorization: 'Bearer key-of-operator-1' };
    expect((await app.inject({ ...request, headers })).statusCode).toBe(202);
    expect(retriedOf(store.recorded())).toMatchObject([{ actions: [{ by: 'maria' }] }]);
  });

  test('skips what a worker has changed or leased meanwhile', async () => {
    const store = createMemoryStore({ leaseMs: 15_000 });
    const { app } = await buildLeft({
      store: {
        ...store,
        claimDue: async () => [],
        amend: (payment, before) =>
          payment.client === null ? store.amend(payment, before) : Promise.reject(new LeaseLost()),
      },
    });
    const response = await app.inject(retry('reason=expired', { reason, count: 2 }));
    expect(response.json()).toEqual({ retried: 1, skipped: 1 });
  });

  test.each<[what: string, query: string, payload: object, path: string]>([
    ['no filter', '', { reason, count: 3 }, 'query'],
    ['a status that is not retried', 'notification_status=sent', { reason, count: 3 }, 'notification_status'],
    ['an unknown status', 'notification_status=lost', { reason, count: 3 }, 'notification_status'],
    ['no count', 'client=portal', { reason }, 'count'],
    ['no reason', 'client=portal', { count: 3 }, 'reason'],
    ['a count that is no number', 'client=portal', { reason, count: '3' }, 'count'],
    ['a phone in the reason', 'client=portal', { reason: 'call 300 123 4567', count: 3 }, 'reason'],
    ['a limit', 'client=portal&limit=5', { reason, count: 3 }, 'limit'],
    ['a cursor', 'client=portal&starting_after=pmt_1', { reason, count: 3 }, 'starting_after'],
    ['another dry run than true or false', 'client=portal&dry_run=yes', { reason, count: 3 }, 'dry_run'],
    [
      'a range that ends before it begins',
      'created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z',
      { reason, count: 3 },
      'created_before',
    ],
  ])('given %s, responds 400', async (_what, query, payload, path) => {
    const { app, store } = await buildLeft();
    const response = await app.inject(retry(query, payload));
    expect([response.statusCode, response.json().errors]).toMatchObject([400, [{ path }]]);
    expect(retriedOf(store.recorded())).toEqual([]);
  });

  test('given no body and no dry run, names what is missing', async () => {
    const { app } = await buildLeft();
    const response = await app.inject({ method: 'POST', url: '/notifications/retry?client=portal' });
    expect([response.statusCode, response.json().errors]).toMatchObject([
      ...[400, [{ path: 'reason' }, { path: 'count' }]],
    ]);
  });

  test('given a store that fails meanwhile, responds 503, which says that a part may be done', async () => {
    const store = createMemoryStore({ leaseMs: 15_000 });
    let amended = 0;
    const amend: typeof store.amend = (...args) => {
      amended += 1;
      return amended > 1 ? Promise.reject(new StoreUnavailable('gone')) : store.amend(...args);
    };
    const { app } = await buildLeft({ store: { ...store, claimDue: async () => [], amend } });
    const response = await app.inject(retry('client=portal', { reason, count: 2 }));
    expect([response.statusCode, response.json().type]).toEqual([503, '/problems/retry-interrupted']);
    expect(retriedOf(store.recorded())).toHaveLength(1);
    expect((await app.inject(count('client=portal'))).json()).toEqual({ count: 1 });
  });

  test('given a client that goes away, ends after the page at hand; the rest is counted again', async () => {
    const store = createMemoryStore({ leaseMs: 15_000 });
    const { app } = await build({ store: { ...store, list, claimDue: async () => [] } });
    const expired = { notification_status: 'failed', reason: 'expired' } as const;
    for (let number = 1; number <= 250; number += 1) await store.insert(paymentNumber(number, expired));
    const leaving = new AbortController();
    let lists = 0;
    async function list(...[query, signal]: Parameters<typeof store.list>) {
      lists += 1;
      const page = await store.list(query, signal);
      // Two pages were counted, and the first is retried.
      if (lists === 4) {
        leaving.abort();
        await expect.poll(() => signal?.aborted).toBe(true);
      }
      return page;
    }
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    const { url, payload, headers } = retry('reason=expired', { reason, count: 250 });
    const request = { method: 'POST', body: payload as string, headers: headers as Record<string, string> };
    await expect(fetch(address + url, { ...request, signal: leaving.signal })).rejects.toThrow();
    await expect.poll(() => lists).toBe(4);
    await expect.poll(() => retriedOf(store.recorded()).length).toBe(200);
    expect((await app.inject(count('reason=expired'))).json()).toEqual({ count: 50 });
  });

  test('never retries more than the count, though more have failed meanwhile', async () => {
    const store = createMemoryStore({ leaseMs: 15_000 });
    let lists = 0;
    const list: typeof store.list = async (...args) => {
      lists += 1;
      if (lists === 2) await store.insert(paymentNumber(50, { ...left[1], client: 'portal' }));
      return store.list(...args);
    };
    const { app } = await buildLeft({ store: { ...store, list, claimDue: async () => [] } });
    const response = await app.inject(retry('client=portal', { reason, count: 2 }));
    expect(response.json()).toEqual({ retried: 2, skipped: 0 });
    expect(retriedOf(store.recorded())).toHaveLength(2);
  });
});
