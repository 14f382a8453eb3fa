import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  accessOptions,
  accessSettings,
  clientSettings,
  wrongCredentials,
} from '../../src/http/access-settings.ts';
import { ConfigurationError, readConfiguration, serviceSettings } from '../../src/http/configuration.ts';
import { findCredential, serviceHeaders } from '../../src/http/credentials.ts';

const schema = z
  .object({ ...serviceSettings({ port: 1 }), ...accessSettings(), ...clientSettings() })
  .check(
    ({ value, issues }) =>
      void issues.push(...wrongCredentials(value, ['API_KEYS', 'ADMIN_API_KEY', 'SERVICE_TOKEN'])),
  );

const keys = {
  API_KEYS: 'shop:key-of-the-shop-1',
  ADMIN_API_KEY: 'key-of-the-admin-1',
  SERVICE_TOKEN: 'token-of-services-1',
};
const read = (env: Partial<typeof keys> = {}) => readConfiguration(schema, { ...keys, ...env });

/** The lines of the refusal, without its heading. */
function refusal(env: Partial<typeof keys>): string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.issues.map((issue) => issue.message);
    throw error;
  }
  return [];
}

/** What each key is accepted as. */
const accepted = (env: Partial<typeof keys>, ...given: string[]) => {
  const { credentials } = accessOptions(read(env));
  return given.map((key) => {
    const { name, role, isReadOnly } = findCredential(credentials, key) ?? {};
    return [name, role, ...(isReadOnly ? ['read'] : [])].join(' ');
  });
};

describe('API_KEYS', () => {
  test('gives a name several keys, of which :read makes one read-only', () => {
    const API_KEYS = 'shop:key-of-the-shop-1,shop:key-of-the-shop-2:read , portal:key-of-the-portal:read';
    expect(accepted({ API_KEYS }, 'key-of-the-shop-1', 'key-of-the-shop-2', 'key-of-the-portal')).toEqual([
      'shop client',
      'shop client read',
      'portal client read',
    ]);
  });

  test('given entries that are wrong in several ways, names each way', () => {
    expect(refusal({ API_KEYS: 'admin:short:write,web:key-of-the-website:read' })).toEqual([
      'the name of entry 1 must be neither admin nor service',
      'the key of entry 1 must have at least 16 characters',
      'entry 1 must be name:key or name:key:read: a key has no colon',
    ]);
  });
});

describe('ADMIN_API_KEY', () => {
  test('given one key without a name, calls it admin', () => {
    expect(accepted({}, 'key-of-the-admin-1')).toEqual(['admin admin']);
  });

  test('given name:key pairs, gives each operator a name, which may have two keys', () => {
    const ADMIN_API_KEY = 'maria:key-of-maria-0001,maria:key-of-maria-0002\nadmin:key-of-the-admin-1';
    expect(
      accepted({ ADMIN_API_KEY }, 'key-of-maria-0001', 'key-of-maria-0002', 'key-of-the-admin-1'),
    ).toEqual(['maria admin', 'maria admin', 'admin admin']);
  });

  test.each([
    ['key-of-maria-0001,key-of-the-noc-01', [1, 2].map(notNamed)],
    ['maria:key-of-maria-0001,', [notNamed(2)]],
    ['maria:key-of-maria-0001:read', ['entry 1 must be name:key: a key has no colon']],
    ['service:key-of-maria-0001', ['the name of entry 1 must be other than service']],
    ['maria:short', ['the key of entry 1 (maria) must have at least 16 characters']],
    [
      'ab:cd:ef:01:23:45:67:89',
      ['the key of entry 1 must have at least 16 characters', 'entry 1 must be name:key: a key has no colon'],
    ],
    ['short', ['must have at least 16 characters']],
    ['with a space in it', ['must consist of letters, digits and - . _ ~ + /']],
  ])('given %s, is refused in words, without the key', (ADMIN_API_KEY, messages) => {
    expect(refusal({ ADMIN_API_KEY })).toEqual(messages);
  });
});

function notNamed(position: number): string {
  return `entry ${position} must be name:key, with a name of at most 64 letters, digits, - and _`;
}

test('given one name in API_KEYS and ADMIN_API_KEY, is refused, because the log and the idempotency keys go by name', () => {
  expect(
    refusal({
      API_KEYS: 'shop:key-of-the-shop-1,maria:key-of-maria-0001',
      ADMIN_API_KEY: 'maria:key-of-maria-0002',
    }),
  ).toEqual(['entry 1 (maria) must not have the name of entry 2 (maria) of API_KEYS: a name has one role']);
});

describe('SERVICE_TOKEN', () => {
  const [old, next] = ['token-of-services-1', 'token-of-services-2'];

  test('given two, sends the first one and accepts both', () => {
    const config = read({ SERVICE_TOKEN: `${next}, ${old}` });
    expect(serviceHeaders(config.SERVICE_TOKEN)()).toMatchObject({ authorization: `Bearer ${next}` });
    expect(accepted({ SERVICE_TOKEN: `${next}, ${old}` }, old, next)).toEqual([
      'service service',
      'service service',
    ]);
  });

  test('given none, no key is sent', () => {
    expect(serviceHeaders(undefined)()).not.toHaveProperty('authorization');
  });

  const steps = [old, `${old},${next}`, `${next},${old}`, next];
  const neighbours = steps.slice(1).flatMap((step, index) => [
    [steps[index], step],
    [step, steps[index]],
  ]);
  test.each(
    neighbours,
  )('given %s in one service and %s in another, the first is accepted by the second', (ofOne = '', ofOther = '') => {
    const { authorization = '' } = serviceHeaders(read({ SERVICE_TOKEN: ofOne }).SERVICE_TOKEN)();
    expect(accepted({ SERVICE_TOKEN: ofOther }, authorization.replace('Bearer ', ''))).toEqual([
      'service service',
    ]);
  });

  test.each([
    [`${old},short`, ['the key of entry 2 must have at least 16 characters']],
    [`${old},`, ['the key of entry 2 must have at least 16 characters']],
    [`${old},${next},token-of-services-3`, ['entry 3 must be left out: there are at most two']],
    [`name:${old}`, ['must consist of letters, digits and - . _ ~ + /']],
  ])('given %s, is refused in words, without the key', (SERVICE_TOKEN, messages) => {
    expect(refusal({ SERVICE_TOKEN })).toEqual(messages);
  });
});
