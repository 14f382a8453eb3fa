import { describe, expect, test } from 'vitest';
import { formatAmount } from '../../../src/live/page/amount.js';
import { formatAge, formatMoment } from '../../../src/live/page/find/format.js';
import { readPayments } from '../../../src/live/page/find/read-payments.js';

const plain = (text: string) => text.replaceAll(/[\u00a0\u202f]/g, ' ');

describe('an amount', () => {
  test.each([
    ['100.5', 'COP', 'en', 'COP 100.50'],
    ['100.5', 'COP', 'es', '100,50 COP'],
    ['90071992547409.91', 'COP', 'en', 'COP 90,071,992,547,409.91'],
    ['1234567', 'JPY', 'es', '1.234.567 JPY'],
    ['1.234', 'KWD', 'en', 'KWD 1.234'],
    ['0', 'USD', 'en', 'USD 0.00'],
    ['10000', 'COP', 'es', '10.000 COP'],
  ])('%s %s in %s is %s', (amount, currency, language, text) =>
    expect(plain(formatAmount(amount, currency, language))).toBe(text));

  test('is read from the response to its last digit, which a number would lose', () => {
    const text = '{"amount":90071992547409.91,"amount_minor":9007199254740991,"metadata":{"amount":"7"}}';
    expect(readPayments(text)).toEqual({
      amount: '90071992547409.91',
      amount_minor: 9_007_199_254_740_991,
      metadata: { amount: '7' },
    });
  });
});

describe('an age', () => {
  test.each([
    [-400, 'en', '0 sec. ago'],
    [-59_900, 'en', '59 sec. ago'],
    [-60_000, 'es', 'hace 1 min'],
    [-47 * 3_600_000, 'en', '47 hr. ago'],
    [-72 * 3_600_000, 'es', 'hace 3 d'],
    [90_000, 'en', 'in 1 min.'],
  ])('of %d ms in %s is %s', (ms, language, text) => expect(plain(formatAge(ms, language))).toMatch(text));
});

test('a moment has its date, its seconds and its zone', () => {
  const text = formatMoment('2026-01-31T17:00:05.000Z', 'en', 'America/Bogota');
  expect(plain(text)).toBe('Jan 31, 2026, 12:00:05 PM GMT-5');
});
