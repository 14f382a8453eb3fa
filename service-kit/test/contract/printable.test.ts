import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idSchema, reasonSchema, receiptSchema } from '../../src/contract/notification.ts';

const anything = fc.string({ unit: 'binary', maxLength: 600 }).filter((text) => text !== '');
const halves = fc.array(fc.integer({ min: 0xd800, max: 0xdfff }), { minLength: 1, maxLength: 300 });
const outside = fc.oneof(
  anything,
  halves.map((units) => String.fromCharCode(...units)),
);

describe.each([
  ['an id', idSchema, 255],
  ['a reason', reasonSchema, 200],
])('%s from outside', (_what, schema, longest) => {
  test.each([
    ['NUL', 'SM\u00001', 'SM\ufffd1'],
    ['a line break', 'SM1\r\nlevel', 'SM1\ufffd\ufffdlevel'],
    ['an escape sequence of a terminal', '\u001b[31mSM1', '\ufffd[31mSM1'],
    ['DEL and a C1 control', 'SM\u007f\u0085', 'SM\ufffd\ufffd'],
    ['an override of the direction', 'SM\u202e1', 'SM\ufffd1'],
    ['a zero-width space', 'SM\u200b1', 'SM\ufffd1'],
    ['a byte order mark', '\ufeffSM1', '\ufffdSM1'],
    ['a line separator', 'SM\u20281', 'SM\ufffd1'],
    ['a filler that has no width', 'SM\u31641', 'SM\ufffd1'],
    ['half a surrogate pair', 'SM\ud83d1', 'SM\ufffd1'],
    ['a noncharacter', 'SM\uffff1', 'SM\ufffd1'],
    ['nothing but NUL', '\0', '\ufffd'],
  ])('with %s has U+FFFD in its place', (_name, given, cleaned) => {
    expect(schema.parse(given)).toBe(cleaned);
  });

  test.each([
    'SM0123456789abcdef0123456789abcdef',
    'Número inválido: ¿«57»? ✓ 😀 漢字',
  ])('is unchanged: %s', (given) => {
    expect(schema.parse(given)).toBe(given);
  });

  test('is cut, and leaves no half of a pair', () => {
    expect(schema.parse('x'.repeat(100_000))).toBe('x'.repeat(longest));
    expect(schema.parse(`${'x'.repeat(longest - 1)}😀`)).toBe(`${'x'.repeat(longest - 1)}\ufffd`);
  });

  test('is never refused, is printable, and stays the same when it is read again', () => {
    fc.assert(
      fc.property(outside, (given) => {
        const read = schema.parse(given);
        expect(read).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u);
        expect(read.length).toBeLessThanOrEqual(longest);
        expect(schema.parse(read)).toBe(read);
      }),
      { seed: 20 },
    );
  });

  test('is refused if it is empty or no text', () => {
    for (const given of ['', null, 1, undefined]) expect(schema.safeParse(given).success).toBe(false);
  });
});

test('a receipt is read whatever its texts contain', () => {
  const receipt = {
    provider: 'Twilio',
    message_id: 'SM\0',
    idempotency_key: `pmt_1-1\0${'x'.repeat(300)}`,
    status: 'undelivered',
    reason: `twilio\n${'9'.repeat(300)}`,
  };
  expect(receiptSchema.parse(receipt)).toEqual({
    ...receipt,
    message_id: 'SM\ufffd',
    idempotency_key: `pmt_1-1\ufffd${'x'.repeat(247)}`,
    reason: `twilio\ufffd${'9'.repeat(193)}`,
  });
});
