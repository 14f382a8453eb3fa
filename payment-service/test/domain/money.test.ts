import { describe, expect, test } from 'vitest';
import { formatAmount, parseAmount, writeMoney } from '../../src/domain/money.ts';

describe('parseAmount', () => {
  test.each([
    ['100', 'COP', 10_000],
    ['100.0', 'COP', 10_000],
    ['100.5', 'COP', 10_050],
    ['0.01', 'COP', 1],
    ['19.99', 'USD', 1999],
    ['1.005', 'KWD', 1005],
    ['100.0', 'JPY', 100],
    ['1.10000000', 'COP', 110],
    ['90071992547409.91', 'COP', Number.MAX_SAFE_INTEGER],
  ])('reads %s %s as %i minor units', (text, currency, minor) => {
    expect(parseAmount(text, currency)).toBe(minor);
  });

  test.each([
    ['0', 'COP', 'must be more than 0'],
    ['0.00', 'COP', 'must be more than 0'],
    ['-1', 'COP', 'must be more than 0'],
    ['100.001', 'COP', 'must have at most 2 decimals in COP'],
    ['0.5', 'JPY', 'must have at most 0 decimals in JPY'],
    ['90071992547409.92', 'COP', 'is larger than this service supports'],
    ['1000000000000000000', 'COP', 'is larger than this service supports'],
    [`1${'0'.repeat(300)}`, 'COP', 'must be a decimal number of at most 40 digits'],
    [`0.${'0'.repeat(300)}1`, 'COP', 'must be a decimal number of at most 40 digits'],
    ['0'.repeat(300), 'COP', 'must be a decimal number of at most 40 digits'],
    [`${'1'.repeat(40)}e2`, 'COP', 'must be a decimal number without an exponent, such as 100.50'],
  ])('refuses %s %s: %s', (text, currency, message) => {
    expect(parseAmount(text, currency)).toBe(message);
  });

  test.each([
    '1e2',
    '1E400',
    'abc',
    '',
    ' 1',
    '1,5',
    '.5',
    '5.',
    '007',
    '+5',
    'NaN',
    'Infinity',
    '٣',
    '1'.repeat(41),
  ])('refuses %j, which is no plain decimal number', (text) => {
    expect(parseAmount(text, 'COP')).toMatch(/must be a decimal number/);
  });
});

test.each([
  [10_000, 'COP', '100'],
  [10_050, 'COP', '100.5'],
  [1, 'COP', '0.01'],
  [100, 'JPY', '100'],
  [1005, 'KWD', '1.005'],
  [Number.MAX_SAFE_INTEGER, 'COP', '90071992547409.91'],
])('formatAmount writes %i minor units of %s as %s', (minor, currency, text) => {
  expect(formatAmount(minor, currency)).toBe(text);
  expect(parseAmount(text, currency)).toBe(minor);
});

test.each([
  [10_000, 'COP', '$100'],
  [10_050, 'COP', '$100,50'],
  [1, 'COP', '$0,01'],
  [100_000, 'COP', '$1.000'],
  [150_000_050, 'COP', '$1.500.000,50'],
  [Number.MAX_SAFE_INTEGER, 'COP', '$90.071.992.547.409,91'],
  [1990, 'EUR', '19,90 EUR'],
  [2000, 'USD', '20 USD'],
  [1500, 'JPY', '1.500 JPY'],
  [1005, 'KWD', '1,005 KWD'],
  [1500, 'KWD', '1,500 KWD'],
  [1990, 'BGN', '19,90 BGN'], // withdrawn
])('writeMoney writes %i minor units of %s as %s', (minor, currency, text) => {
  expect(writeMoney(minor, currency)).toBe(text);
});
