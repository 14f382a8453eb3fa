import { describe, expect, test } from 'vitest';
import { cpuTimeOf } from '../../../test/cpu-time.ts';
import { readPreferences } from '../../src/http/prefer.ts';

const isAsync = (header?: string) => readPreferences(header).respondAsync;

describe('a Prefer header', () => {
  test.each([
    'respond-async',
    'RESPOND-Async',
    'respond-async=""',
    'respond-async = ""',
    'respond-async=',
    'wait=10, respond-async',
    'wait=10,respond-async',
    'respond-async;foo=bar, wait=1',
    'respond-async ; foo ; bar = "a, b; c" ;, wait=1',
    ', ,respond-async,,',
    'foo="a, b"; x="\\"", respond-async',
    'foo="\\\\", respond-async',
    '\trespond-async\t',
    'respond-async, respond-async=x',
    'foo="\xff", respond-async',
  ])('given %s, has respond-async', (header) => {
    expect(isAsync(header)).toBe(true);
  });

  test.each([
    ['no header', undefined],
    ['nothing', ''],
    ['commas alone', ', ,'],
    ['another preference', 'return=minimal'],
    ['a longer name', 'respond-asynchronously'],
    ['a longer name before', 'x-respond-async'],
    ['it as a value', 'wait=respond-async'],
    ['it in a quoted string', 'foo="bar, respond-async, baz"'],
    ['it after an escaped quote in a quoted string', 'foo="\\", respond-async, \\""'],
    ['it as a parameter', 'wait=1; respond-async'],
    ['a value', 'respond-async=x'],
    ['a quoted value', 'respond-async="x"'],
    ['a value first', 'respond-async=x, respond-async'],
  ])('given %s, does not have it: %s', (_name, header) => {
    expect(isAsync(header)).toBe(false);
  });

  test.each([
    ['two tokens without a comma', 'wait respond-async, respond-async'],
    ['a quote that is not closed', 'respond-async, foo="bar'],
    ['a name in quotes', '"foo", respond-async'],
    ['an equals sign alone', '=1, respond-async'],
    ['two values', 'foo=1=2, respond-async'],
    ['a character of no token', 'respond-async, (foo)'],
    ['a character beyond ASCII', 'respond-async, ñ'],
    ['a semicolon alone', '; foo, respond-async'],
  ])('given %s, is ignored as a whole: %s', (_name, header) => {
    expect(isAsync(header)).toBe(false);
  });

  test('given 16 kB of separators or of an open string, is read in milliseconds', async () => {
    const headers = [' ;'.repeat(8000), ' ,'.repeat(8000), `a="${'\\"'.repeat(8000)}`, 'a='.repeat(8000)];
    const readAll = () => expect(headers.map(isAsync)).toEqual(Array(4).fill(false));
    expect(await cpuTimeOf(readAll)).toBeLessThan(500);
  });

  test.each([
    ['wait=2', 2000],
    ['WAIT=10, respond-async', 10_000],
    ['respond-async, wait="3"', 3000],
    ['wait=0', 0],
    ['wait=2, wait=5', 2000],
  ])('given %s, has a wait of %i ms', (header, waitMs) => {
    expect(readPreferences(header).waitMs).toBe(waitMs);
  });

  test.each([
    'wait',
    'wait=',
    'wait=x',
    'wait=1.5',
    'wait=-1',
    'wait=1e3',
    'wait=12345678',
    'foo=1; wait=2',
    'wait=2, "',
  ])('given %s, has no wait', (header) => {
    expect(readPreferences(header).waitMs).toBeUndefined();
  });
});
