import type { LookupAddress } from 'node:dns';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createGuardedLookup } from '../../src/webhooks/guarded-lookup.ts';

const isAllowed = (address: string) => address.startsWith('8.');
const v4 = (address: string): LookupAddress => ({ address, family: 4 });

/** What a connection gets, which asks for all addresses, and what another caller gets, which asks for one. */
function lookupOf(records: LookupAddress[] | Error) {
  const lookup = createGuardedLookup(isAllowed, (_name, options, callback) => {
    expect(options.all).toBe(true);
    if (records instanceof Error) callback(records, []);
    else callback(null, records);
  });
  return {
    all: () => promisify(lookup)('shop.example', { all: true }),
    one: () => promisify(lookup)('shop.example', {}),
  };
}

describe('the lookup of the endpoint', () => {
  test('returns the addresses that are allowed, and none of the others', async () => {
    const lookup = lookupOf([v4('10.0.0.1'), v4('8.8.8.8'), v4('127.0.0.1'), v4('8.8.4.4')]);
    expect(await lookup.all()).toEqual([v4('8.8.8.8'), v4('8.8.4.4')]);
    expect(await lookup.one()).toBe('8.8.8.8');
  });

  test.each([
    ['only others', [v4('10.0.0.1'), v4('127.0.0.1')]],
    ['none', []],
  ])('given %s, fails for that reason', async (_what, records) => {
    const lookup = lookupOf(records);
    await expect(lookup.all()).rejects.toMatchObject({ reason: 'address_not_allowed' });
    await expect(lookup.one()).rejects.toMatchObject({ reason: 'address_not_allowed' });
  });

  test('given many connections at once, asks the name server once, and anew for a later one', async () => {
    const asked: ((error: null, records: LookupAddress[]) => void)[] = [];
    const lookup = promisify(
      createGuardedLookup(isAllowed, (_name, _options, callback) => asked.push(callback)),
    );
    const found = Promise.all(Array.from({ length: 32 }, () => lookup('shop.example', { all: true })));
    expect(asked).toHaveLength(1);
    asked[0]?.(null, [v4('8.8.8.8')]);
    expect(await found).toEqual(Array.from({ length: 32 }, () => [v4('8.8.8.8')]));
    const later = lookup('shop.example', { all: true });
    asked[1]?.(null, [v4('8.8.4.4')]);
    expect(await later).toEqual([v4('8.8.4.4')]);
  });

  test('passes on the error of the name server', async () => {
    const error = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    await expect(lookupOf(error).all()).rejects.toBe(error);
  });
});
