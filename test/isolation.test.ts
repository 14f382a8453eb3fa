import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { call } from './http.ts';
import { startTrio } from './start-trio.ts';
import type { Trio } from './trio.ts';

/** Two clients of one service, over HTTP: neither sees what belongs to the other. */

const keys = {
  ...{ shop: 'key-of-the-shop-1', portal: 'key-of-the-portal', reader: 'key-that-reads-of-the-shop' },
  ...{ admin: 'key-of-the-admin-1', service: 'token-of-the-services' },
};
type Name = 'shop' | 'portal' | 'reader' | 'admin';
const settings = {
  API_KEYS: `shop:${keys.shop},portal:${keys.portal},shop:${keys.reader}:read`,
  ADMIN_API_KEY: keys.admin,
  SERVICE_TOKEN: keys.service,
  EVENTS: 'true',
};
const warning = (lines: { msg?: unknown }[]) =>
  lines.filter(({ msg }) => String(msg).includes('CLIENTS_ISOLATED=true'));

describe('given CLIENTS_ISOLATED=true', () => {
  let trio: Trio;
  beforeAll(async () => {
    trio = await startTrio({ ...settings, CLIENTS_ISOLATED: 'true' });
  });
  afterAll(() => trio[Symbol.asyncDispose]());

  const ask = <Body>(name: Name, method: string, path: string, body?: unknown, headers = {}) =>
    call<Body>(method, `${trio.url('payment-service')}${path}`, body, {
      authorization: `Bearer ${keys[name]}`,
      ...headers,
    });
  const pay = (name: Name, key: string) =>
    ask<PaymentView>(
      name,
      'POST',
      '/payments',
      { amount: 100, customer_id: '123' },
      {
        'idempotency-key': key,
      },
    );
  const idsSeenBy = async (name: Name, path: string) => {
    const { body } = await ask<{ data: { payment_id?: string; data?: PaymentView }[] }>(name, 'GET', path);
    return [...new Set(body.data.map(({ payment_id, data }) => payment_id ?? data?.payment_id))];
  };

  test('each client sees its own payments and events, its reader too, and the admin those of all', async () => {
    const ofShop = (await pay('shop', 'order-1')).body;
    const ofPortal = (await pay('portal', 'order-1')).body;
    expect(ofPortal.payment_id).not.toBe(ofShop.payment_id);
    expect([ofShop.client, ofPortal.client]).toEqual(['shop', 'portal']);
    for (const path of ['/payments', '/events']) {
      expect(await idsSeenBy('shop', path)).toEqual([ofShop.payment_id]);
      expect(await idsSeenBy('reader', path)).toEqual([ofShop.payment_id]);
      expect(await idsSeenBy('portal', path)).toEqual([ofPortal.payment_id]);
      expect((await idsSeenBy('admin', path)).toSorted()).toEqual(
        [ofShop.payment_id, ofPortal.payment_id].toSorted(),
      );
    }
    const statuses = (['shop', 'reader', 'portal', 'admin'] as const).map(
      async (name) => (await ask(name, 'GET', `/payments/${ofShop.payment_id}`)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 200, 404, 200]);
  });

  test('each client has its own phone of a customer with the same id', async () => {
    const phones = { shop: '+573001111111', portal: '+573002222222' };
    await ask('shop', 'PUT', '/customers/7', { phone: phones.shop });
    expect((await ask('portal', 'GET', '/customers/7')).status).toBe(404);
    await ask('portal', 'PUT', '/customers/7', { phone: phones.portal });
    expect((await ask('shop', 'GET', '/customers/7')).body).toMatchObject({ phone: phones.shop });
    expect((await ask('admin', 'GET', '/customers/7?client=portal')).body).toMatchObject({
      phone: phones.portal,
    });
    expect((await ask('shop', 'GET', '/customers/7?client=portal')).status).toBe(400);
  });

  test('the start has warned of nothing', async () => {
    expect(warning(await trio.logs('payment-service'))).toEqual([]);
  });
});

test('given two clients that are not isolated, the start warns once that each sees the payments of both', async () => {
  await using trio = await startTrio(settings);
  expect(warning(await trio.logs('payment-service'))).toMatchObject([{ clients: ['shop', 'portal'] }]);
});
