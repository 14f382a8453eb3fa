import { readConfiguration } from 'service-kit/http/configuration.ts';
import { expect, test, vi } from 'vitest';
import { paymentConfigSchema } from '../src/config.ts';
import { warnOfShared } from '../src/isolation-settings.ts';

const others = { ADMIN_API_KEY: 'a'.repeat(16), SERVICE_TOKEN: 's'.repeat(16) };
const keyOf = (letter: string) => letter.repeat(16);
const two = `shop:${keyOf('x')},portal:${keyOf('y')},shop:${keyOf('z')}:read`;

function warningsOf(settings: Record<string, string>) {
  const warn = vi.fn();
  warnOfShared(readConfiguration(paymentConfigSchema, settings), { warn });
  return warn.mock.calls;
}

test('given clients of several names, warns once that each can read the payments of all, without a key', () => {
  const warnings = warningsOf({ ...others, API_KEYS: two });
  expect(warnings).toEqual([
    [{ clients: ['shop', 'portal'] }, expect.stringContaining('CLIENTS_ISOLATED=true')],
  ]);
  expect(JSON.stringify(warnings)).not.toMatch(/xxx|yyy|zzz/);
});

test.each<[what: string, settings: Record<string, string>]>([
  ['isolated clients', { ...others, API_KEYS: two, CLIENTS_ISOLATED: 'true' }],
  ['one client with two keys', { ...others, API_KEYS: `shop:${keyOf('x')},shop:${keyOf('y')}` }],
  ['no keys', {}],
])('given %s, warns of nothing', (_what, settings) => {
  expect(warningsOf(settings)).toEqual([]);
});
