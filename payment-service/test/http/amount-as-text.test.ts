import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAmount } from '../../src/domain/money.ts';
import { parseWithAmountAsText } from '../../src/http/amount-as-text.ts';

const read = (amount: string) =>
  parseAmount((parseWithAmountAsText(`{"amount":${amount}}`) as { amount: string }).amount, 'CLF');

test('given any JSON number, returns its text as written', () => {
  const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^\\d{1,${maxLength}}$`));
  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      digits(25).map((text) => text.replace(/^0+(?=\d)/, '')),
      fc.option(digits(25), { nil: undefined }),
      fc.constantFrom('', '', '', 'e2', 'E-1', 'e+10'),
    )
    .map(([sign, whole, fraction, exponent]) => [sign, whole, fraction && `.${fraction}`, exponent].join(''));
  fc.assert(
    fc.property(number, (text) => {
      expect(read(text)).toBe(parseAmount(text, 'CLF'));
    }),
    { numRuns: 5000 },
  );
});

test.each([
  '0.0000001',
  '900719925474.0991',
  '900719925474.09910',
  '1e2',
  '1.0E2',
  '-0',
  '0.30000000000000004',
])('given %s, which a double would change, returns its text', (text) => {
  expect(read(text)).toBe(parseAmount(text, 'CLF'));
});

test.each([
  '',
  ' ',
  '{',
  '[1',
  '{"amount":01}',
  '{"amount":1e}',
])('given %j, which is not JSON, throws a SyntaxError', (text) => {
  expect(() => parseWithAmountAsText(text)).toThrow(SyntaxError);
});

test.each([
  'null',
  '1',
  '"amount"',
  '{"amount":"1e2"}',
  '{"amount":null}',
  '{"amount":{"amount":true}}',
])('given a JSON text without a number named amount (%s), returns what JSON.parse returns', (text) => {
  expect(parseWithAmountAsText(text)).toStrictEqual(JSON.parse(text));
});

test.each([
  ['[{"amount":1}]', [{ amount: 1 }]],
  ['{"amount":2.50,"metadata":{"amount":1.50}}', { amount: '2.50', metadata: { amount: 1.5 } }],
  ['{"":{"amount":1.50},"amount":"2"}', { '': { amount: 1.5 }, amount: '2' }],
])('given an amount that is not that of the request (%s), returns the number', (text, value) => {
  expect(parseWithAmountAsText(text)).toStrictEqual(value);
});
