import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idempotencyKeySchema } from '../../src/contract/notification.ts';

const keyOf = (header: string) => idempotencyKeySchema.safeParse(header).data;

describe('an Idempotency-Key', () => {
  test.each([
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"8e03978e"', '8e03978e'],
    ['order 7/b:c=d+e', 'order 7/b:c=d+e'],
    ['a\\b', 'a\\b'],
    ['"a\\\\b"', 'a\\b'],
    ['"a\\"b"', 'a"b'],
    ['"a, b;c"', 'a, b;c'],
    ['"\\""', '"'],
  ])('%s is the key %s', (header, key) => {
    expect(keyOf(header)).toBe(key);
  });

  test.each([
    ['parameters on a quoted key', '"key";a=1'],
    ['parameters on a bare key', 'key;a=1'],
    ['a list of bare keys', 'a, b'],
    ['a list of quoted keys', '"a", "b"'],
    ['a quote that is not closed', '"a'],
    ['a quote alone', '"'],
    ['a quote that is not opened', 'a"'],
    ['a quote within', 'a"b'],
    ['an unescaped quote within quotes', '"a"b"'],
    ['an escape that is none', '"a\\nb"'],
    ['an escaped last quote', '"a\\"'],
    ['nothing', ''],
    ['nothing in quotes', '""'],
    ['256 characters', 'x'.repeat(256)],
    ['256 characters in quotes', `"${'x'.repeat(256)}"`],
    ['bytes beyond ASCII', 'ñ'],
    ['the same in quotes', '"ñ"'],
    ['a tab', 'a\tb'],
    ['a byte sequence of RFC 8941', ':cHJldGVuZA==:;a'],
  ])('with %s is refused: %s', (_name, header) => {
    expect(idempotencyKeySchema.safeParse(header).error?.issues).toMatchObject([
      { message: 'must be one key of 1 to 255 printable ASCII characters, in quotes if it has " , or ;' },
    ]);
  });

  test('given any key, is the same after it was quoted as RFC 8941 does', () => {
    const printable = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 255,
    });
    fc.assert(
      fc.property(printable, (key) => {
        expect(keyOf(`"${key.replace(/["\\]/g, '\\$&')}"`)).toBe(key);
      }),
    );
  });
});
