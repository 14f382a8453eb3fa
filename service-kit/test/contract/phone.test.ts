import { describe, expect, test } from 'vitest';
import { phoneSchema } from '../../src/contract/notification.ts';
import { countrySchema, normalizePhone, splitPhone } from '../../src/contract/phone.ts';

describe('normalizePhone', () => {
  test.each([
    '3001234567',
    ' 3001234567 ',
    '300 123 4567',
    '(300) 123-4567',
    '300.123.4567',
    '+573001234567',
    '+57 300 123 4567',
    '+57-300-123-4567',
  ])('%j is +573001234567 in Colombia', (text) => {
    expect(normalizePhone(text, 'CO')).toBe('+573001234567');
  });

  test('given a calling code, ignores the default country', () => {
    expect(normalizePhone('+1 (415) 555-2671', 'CO')).toBe('+14155552671');
  });

  test.each([
    'cliente 12345678',
    'cliente 3001234567',
    '3001234567 casa',
    'id=3001234567',
    'http://x/3001234567',
    'https://wa.me/573001234567',
    'pmt_3001234567',
    '3001234567, 3007654321',
  ])('%j is text with a number in it, and no phone', (text) => {
    expect(normalizePhone(text, 'CO')).toBeUndefined();
  });

  test.each([
    '',
    '+',
    '123',
    'abc',
    '30012345678901234567',
    '+57 300 123 4567 ext. 5',
    '+999123456789',
    '0057 300 123 4567',
    // Germany allows 17 digits with the calling code, and E.164 15.
    '+49151234567890123',
  ])('%j is no phone', (text) => {
    expect(normalizePhone(text, 'CO')).toBeUndefined();
  });

  test('its result always matches the schema of a phone', () => {
    for (let length = 1; length <= 20; length += 1) {
      for (const callingCode of ['+1', '+49', '+57', '+43', '+290', '+683']) {
        const phone = normalizePhone(callingCode + '3'.repeat(length), 'CO');
        if (phone !== undefined) expect(phoneSchema.safeParse(phone).success).toBe(true);
      }
    }
  });
});

test.each([
  ['+573001234567', { callingCode: '57', nationalNumber: '3001234567' }],
  ['+14155552671', { callingCode: '1', nationalNumber: '4155552671' }],
  ['+999123456789', undefined],
])('splitPhone of %s', (phone, parts) => {
  expect(splitPhone(phone)).toEqual(parts);
});

test.each([
  ['CO', true],
  ['XX', false],
  ['co', false],
  ['', false],
])('%j is a country: %s', (code, known) => {
  expect(countrySchema.safeParse(code).success).toBe(known);
});
