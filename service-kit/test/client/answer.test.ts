import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpuTimeOf } from '../../../test/cpu-time.ts';
import { parseJson, retryAfterOf } from '../../src/client/answer.ts';

describe('JSON of a provider', () => {
  test.each<[what: string, json: string, value: unknown]>([
    ['a raw NUL in a text', '{"a":"x\0y","sid":"SM1"}', { a: 'x\ufffdy', sid: 'SM1' }],
    ['a raw line break in a text', '{"a":"x\r\ny"}', { a: 'x\ufffd\ufffdy' }],
    ['a raw tab in a name', '{"a\t":1}', { 'a\ufffd': 1 }],
    ['NUL behind its end', '{"a":1}\0\0', { a: 1 }],
    ['NUL between its values', '[1,\0 2]', [1, 2]],
    ['what could not be decoded before and behind it', '\ufffd{"a":1}\ufffd\ufffd', { a: 1 }],
    ['a letter of another charset behind it', '{"a":1}ÿ', { a: 1 }],
    [
      'spaces of any kind between its values',
      '\u00a0{\u2003"a"\u3000:\u2028[1,\u20292]\u0085}',
      { a: [1, 2] },
    ],
    ['what has no width between its values', '{\u200b"a"\u2060:1}\ufeff', { a: 1 }],
    ['an emoji behind it', '{"a":1}😀', { a: 1 }],
    [
      'all of these in a text, and one behind it',
      '{"a":"\ufffd\u00a0\u2028😀ÿ"}ÿ',
      { a: '\ufffd\u00a0\u2028😀ÿ' },
    ],
    [
      'an escape that is none',
      String.raw`{"a":"\'x\' \d \u12g4"}`,
      { a: "\ufffd'x\ufffd' \ufffdd \ufffdu12g4" },
    ],
    ['a right escape beside a wrong one', String.raw`{"a":"\\ \" \n \u00e9 \x"}`, { a: '\\ " \n é \ufffdx' }],
    ['an escaped half of a pair', String.raw`{"a":"\ud800"}`, { a: '\ud800' }],
    ['line breaks between its values, and one in a text', '{\n  "a": "x\ny"\n}', { a: 'x\ufffdy' }],
    ['an integer of 64 bits', '{"id":9223372036854775807}', { id: '9223372036854775807' }],
    ['a safe integer of 16 digits', '{"id":9007199254740991}', { id: 9007199254740991 }],
    ['a number beyond all numbers', '[1e400]', [Number.POSITIVE_INFINITY]],
    ['null', 'null', null],
  ])('with %s is read', (_what, json, value) => {
    expect(parseJson(json)).toEqual(value);
  });

  test.each([
    '',
    '{"a":',
    '<html>',
    '{"a":"x',
    "{'a':1}",
    '\0',
    '[1\u00a02]',
    '{"a":tr\ufffde}',
    `${'['.repeat(60_000)}`,
  ])('is undefined: %.20j', (text) => {
    expect(parseJson(text)).toBeUndefined();
  });

  test('with anything in its texts is what it was, but for those texts', () => {
    const raw = fc.string({
      unit: fc.constantFrom('x', 'é', '\0', '\n', '\u001f', '\\x', '\\u1', '\\n', '\\"', '\ud800'),
    });
    fc.assert(
      fc.property(raw, raw, (first, second) => {
        expect(parseJson(`{"a":"${first}","sid":"SM1",\n"b":"${second}","status":-1}`)).toMatchObject({
          a: expect.any(String),
          sid: 'SM1',
          b: expect.any(String),
          status: -1,
        });
      }),
      { seed: 20 },
    );
  });

  test('of 1 MiB of quotes and backslashes takes no time', async () => {
    const read = () => {
      parseJson(`{"a":"${'\\"'.repeat(512 * 1024)}`);
      parseJson('\\'.repeat(1024 * 1024));
      parseJson('"\0'.repeat(512 * 1024));
    };
    expect(await cpuTimeOf(read)).toBeLessThan(2000);
  });
});

test.each([
  ['0', 0],
  ['86400', 86_400_000],
  ['86401', 86_400_000],
  ['1000000000000', 86_400_000],
  ['Fri, 31 Dec 9999 23:59:59 GMT', 86_400_000],
])('a Retry-After of %s is a pause of %i ms, a day at most', (header, retry_after_ms) => {
  expect(retryAfterOf(header)).toEqual({ retry_after_ms });
});
