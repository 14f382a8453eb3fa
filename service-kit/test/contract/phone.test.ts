import fc from 'fast-check';
import { getCountries, getExampleNumber } from 'libphonenumber-js/mobile';
import examples from 'libphonenumber-js/mobile/examples';
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
    '300.1234567',
    '300–123–4567',
    '300\u202f123\u00a04567',
    '300\t123\u20034567',
    '３００１２３４５６７',
    '٣٠٠١٢٣٤٥٦٧',
    '573001234567',
    '57 300 123 4567',
    '(57) 300 123 4567',
    '+573001234567',
    '＋573001234567',
    '+57 300 123 4567',
    '+57-300-123-4567',
    '(+57) 300 123 4567',
    '(+57)3001234567',
    '( + 57 )300-123-4567',
    '（＋５７）３００ １２３ ４５６７',
    '(+57) (300) 123-4567',
  ])('%j is +573001234567 in Colombia', (text) => {
    expect(normalizePhone(text, 'CO')).toBe('+573001234567');
  });

  test.each([
    ['tel:+573001234567'],
    ['TEL:+57-300-123-4567'],
    ['tel:3001234567'],
    ['tel: +573001234567'],
    ['Tel:\u00a0300 123 4567'],
    ['tel:(+57)3001234567'],
    ['tel:300-123-4567;phone-context=+57'],
    ['\u200etel:+573001234567'],
  ])('%j, a URI by RFC 3966, is +573001234567', (text) => {
    expect(normalizePhone(text, 'CO')).toBe('+573001234567');
  });

  const invisible =
    '\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b\u200c\u200d\u00ad\u2060\u061c\u00a0\t\n\u2003';
  test.each([...invisible].map((character) => [character]))('%j around a phone is taken off', (character) => {
    for (const phone of ['3001234567', '+573001234567'])
      expect(normalizePhone(`${character}${phone}${character.repeat(2)}`, 'CO')).toBe('+573001234567');
  });

  test.each([
    '+57 \u200e300 123 4567',
    '+57\u2060300\u200b123\u00ad4567',
    '\u202a+57\u202c\u00a0300\u200d123 4567',
    '\u2066(+57)\u2069 \ufeff300 123 4567',
    '300\u200b1234567',
  ])('%j, with invisible characters between its parts, is +573001234567', (text) => {
    expect(normalizePhone(text, 'CO')).toBe('+573001234567');
  });

  test.each(
    [...'\u061c\u200f\u202b\u202e\u2067'].map((mark) => [mark]),
  )('%j within a phone is not read over, because it reverses what is seen', (mark) => {
    expect(normalizePhone(`+57${mark}3001234567`, 'CO')).toBeUndefined();
    expect(normalizePhone(`+57 ${mark}300 123 4567`, 'CO')).toBeUndefined();
  });

  test('given a calling code, ignores the default country', () => {
    expect(normalizePhone('+1 (415) 555-2671', 'CO')).toBe('+14155552671');
    expect(normalizePhone('+44 (0)7911 123456', 'CO')).toBe('+447911123456');
  });

  test.each([
    '30012345678',
    '300123456',
    '2001234567',
    '9001234567',
    '03001234567',
    '0573001234567',
    '057 300 123 4567',
    '057300123456', // the parser takes 05 for the choice of a carrier, and what is left is ten digits
    '033001234567',
    '09 300 123 4567',
    '+5730012345678',
    '+57300123456',
    '+570300123456',
    '+57 (0)3001234567',
    '+57 03 3001234567',
    '005730012345678',
    '００573001234567',
    '(601) 234 5678',
    '+57 601 234 5678',
    '01 8000 123456',
  ])('%j is no mobile of Colombia', (text) => {
    expect(normalizePhone(text, 'CO')).toBeUndefined();
  });

  test.each([
    '3001234567.0',
    '300123456.0',
    '300123456.7',
    '300 123 456.7',
    '30012345.00',
    '3001234.000',
    '3.001234567e9',
    '3.00123E+09',
    '３００１２３４５６.０',
    '3001234567,0',
  ])('%j is a number of a spreadsheet, and no phone', (text) => {
    expect(normalizePhone(text, 'CO')).toBeUndefined();
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
    '3001234567/3007654321',
    '3001234567 3007654321',
    '300-FLOWERS',
    'tel:tel:3001234567',
    '(+57 300) 123 4567x',
    '((+57)) 3001234567',
    '(+57)(+57)3001234567',
    '(+57)+573001234567',
    'tel:3001234567;ext=5',
    'tel:3001234567;phone-context=example.com',
    'tel:+573001234567;isub=1',
    'sms:+573001234567',
  ])('%j is text with a number in it, and no phone', (text) => {
    expect(normalizePhone(text, 'CO')).toBeUndefined();
  });

  test.each([
    '',
    '+',
    'tel:',
    '123',
    'abc',
    '30012345678901234567',
    '+57 300 123 4567 ext. 5',
    '3001234567x5',
    '3001234567#5',
    '+999123456789',
    '0057 300 123 4567',
    // Germany allows 17 digits with the calling code, and E.164 15.
    '+49151234567890123',
  ])('%j is no phone', (text) => {
    expect(normalizePhone(text, 'CO')).toBeUndefined();
  });

  test.each([
    ['GB', '07911 123456', '+447911123456'],
    ['AR', '011 15-2345-6789', '+5491123456789'],
    ['IT', '312 345 6789', '+393123456789'],
    ['RU', '8 (912) 345-67-89', '+79123456789'],
    ['IN', '9123456789', '+919123456789'],
    ['BR', '0 11 96123 4567', '+5511961234567'],
    ['JM', '+1 415 555 2671', '+14155552671'],
    ['GB', '7911 12345', undefined],
    ['ES', '+34 612 34 56 78 9', undefined],
    ['DE', '0151 1234', undefined],
    ['DE', '4915112345678', '+4915112345678'],
    ['DE', '491701234567', '+491701234567'],
    ['DE', '49 (0)170 1234567', '+491701234567'],
    ['DE', '4915112345', undefined], // +494915112345 or +4915112345, and neither is known
    ['AT', '436641234567', '+436641234567'],
    ['BR', '0 15 11 96123 4567', undefined], // 15 chooses a carrier
    ['BR', '1191234567', undefined], // a digit is missing
    ['BR', '+55 11 9123-4567', undefined],
    ['BR', '11 7123 4567', '+551171234567'], // of the few mobiles with ten digits
    ['MY', '011 123 4567', undefined],
    ['US', '1234567890', undefined],
    ['US', '415 155 2671', undefined],
    ['JM', '0234567890', undefined],
    ['US', '(672) 555-0123', '+16725550123'],
    ['ID', '62812345678', undefined], // +62812345678 or +6262812345678
  ] as const)('in %s, %j is %s', (country, text, phone) => {
    expect(normalizePhone(text, country)).toBe(phone);
  });

  test('reads a mobile of any country in its national and its international form', () => {
    const misread = getCountries().flatMap((country) => {
      const phone = getExampleNumber(country, examples);
      if (!phone) return [];
      const forms = [
        phone.formatNational(),
        phone.nationalNumber,
        phone.formatInternational(),
        phone.getURI(),
      ];
      return forms.filter((form) => normalizePhone(form, country) !== phone.number);
    });
    expect(misread).toEqual([]);
  });

  test('whatever it reads has the digits that were written, a trunk prefix apart', () => {
    const countries = ['CO', 'US', 'GB', 'DE', 'ID', 'MX', 'IT', 'JM'] as const;
    const part = fc.oneof(
      fc.stringMatching(/^\d{1,11}$/),
      fc.constantFrom(
        '+',
        '00',
        '0',
        '57',
        '49',
        '62',
        '+57',
        '(+57)',
        '\u200e',
        '300',
        '1',
        '.',
        ' ',
        '-',
        '(',
        ')',
        '/',
        'e',
        'x',
        ';',
        ',',
        'tel:',
      ),
    );
    const text = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''));
    let read = 0;
    fc.assert(
      fc.property(text, fc.constantFrom(...countries), (written, country) => {
        const phone = normalizePhone(written, country);
        if (phone === undefined) return;
        read += 1;
        expect(phoneSchema.safeParse(phone).success).toBe(true);
        const digits = written.replace(/\D/g, '');
        const { callingCode, nationalNumber } = splitPhone(phone) ?? {};
        expect([
          `${callingCode}${nationalNumber}`,
          nationalNumber,
          `0${nationalNumber}`,
          `${callingCode}0${nationalNumber}`,
        ]).toContain(digits);
        if (phone.startsWith('+57') && country === 'CO') expect(phone).toMatch(/^\+573\d{9}$/);
      }),
      { numRuns: 20_000, seed: 20 },
    );
    expect(read).toBeGreaterThan(100);
  });
});

test.each([
  ['+573001234567', { callingCode: '57', nationalNumber: '3001234567' }],
  ['+14155552671', { callingCode: '1', nationalNumber: '4155552671' }],
  // The parser takes 03 for the choice of a carrier.
  ['+570300123456', { callingCode: '57', nationalNumber: '0300123456' }],
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
