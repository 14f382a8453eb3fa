import { accessOptions } from 'service-kit/http/access-settings.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, test } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';
import { build } from '../fixture.ts';

const keys = {
  shop: 'key-of-the-shop-1',
  reader: 'key-of-the-reader',
  maria: 'key-of-operator-1',
  service: 'token-of-the-services',
};
const access = accessOptions(
  readConfiguration(paymentConfigSchema, {
    API_KEYS: `shop:${keys.shop},shop:${keys.reader}:read`,
    ADMIN_API_KEY: `maria:${keys.maria}`,
    SERVICE_TOKEN: keys.service,
  }),
);
const me = async (app: Server, key: string) =>
  (await app.inject({ url: '/me', headers: { authorization: `Bearer ${key}` } })).json();

/** The operations of the document that a role, or every method that a read-only key allows, is named for. */
async function documented(app: Server, role?: string, methods?: string[]): Promise<string[]> {
  const { paths } = (await app.inject('/openapi.json')).json();
  type Operation = { operationId: string; security: { key: string[] }[] };
  return Object.values<Record<string, Operation>>(paths).flatMap((operations) =>
    Object.entries(operations)
      .filter(([method]) => methods?.includes(method) ?? true)
      .map(([, operation]) => operation)
      .filter(
        ({ security }) => !role || security.length === 0 || security.some(({ key }) => key.includes(role)),
      )
      .map(({ operationId }) => operationId),
  );
}

describe('GET /me', () => {
  test.each<[name: keyof typeof keys, expected: object, role: string, methods?: string[]]>([
    ['shop', { name: 'shop', role: 'client', read_only: false }, 'client'],
    ['reader', { name: 'shop', role: 'client', read_only: true }, 'client', ['get']],
    ['maria', { name: 'maria', role: 'admin', read_only: false }, 'admin'],
    ['service', { name: 'service', role: 'service', read_only: false }, 'service'],
  ])('given the key of %s, returns who it is, and the operations that it allows', async (name, expected, role, methods) => {
    const { app } = await build({ access });
    const { operations, ...who } = await me(app, keys[name]);
    expect(who).toEqual(expected);
    expect(operations.toSorted()).toEqual((await documented(app, role, methods)).toSorted());
  });

  test('names what each role may do', async () => {
    const { app } = await build({ access });
    const operationsOf = async (name: keyof typeof keys) => (await me(app, keys[name])).operations;
    expect(await operationsOf('shop')).toContain('createPayment');
    expect(await operationsOf('shop')).not.toContain('holdProvider');
    expect(await operationsOf('reader')).not.toContain('createPayment');
    expect(await operationsOf('maria')).toContain('holdProvider');
    expect(await operationsOf('maria')).not.toContain('recordReceipt');
  });

  test('given isolated clients, does not allow a client the stream of the live page', async () => {
    const shared = await build({ access });
    const isolated = await build({ access, clientsIsolated: true });
    expect((await me(shared.app, keys.shop)).operations).toContain('streamSnapshots');
    expect((await me(isolated.app, keys.shop)).operations).not.toContain('streamSnapshots');
    expect((await me(isolated.app, keys.maria)).operations).toContain('streamSnapshots');
  });

  test('given a service without keys, returns no name and all operations', async () => {
    const { app } = await build();
    const { operations, ...who } = (await app.inject('/me')).json();
    expect(who).toEqual({ name: null, role: null, read_only: false });
    expect(operations.toSorted()).toEqual((await documented(app)).toSorted());
  });

  test.each([
    undefined,
    'Bearer wrong-key-1234567',
  ])('given %j for a key, is a 401', async (authorization) => {
    const { app } = await build({ access });
    const { statusCode } = await app.inject({ url: '/me', headers: authorization ? { authorization } : {} });
    expect(statusCode).toBe(401);
  });
});
