import { decimalsOf } from './currencies.ts';

/**
 * Money is a whole number of minor units (for COP: centavos) and a currency. It never is a floating-point amount:
 * 19.99 / 0.01 is 1998.9999999999998 there.
 */

const decimalText = /^(?:0|[1-9]\d*)(?:\.\d+)?$/;

/** In characters, those without an effect included. */
const longest = 40;

const tooMuch = 'is larger than this service supports';

/** What is wrong with the text of an amount in any currency; undefined if nothing is. */
export function amountError(text: string): string | undefined {
  if (text.startsWith('-')) return 'must be more than 0';
  if (text.length > longest && /^[\d.]*$/.test(text))
    return `must be a decimal number of at most ${longest} digits`;
  if (text.length > longest || !decimalText.test(text))
    return 'must be a decimal number without an exponent, such as 100.50';
  if (!/[1-9]/.test(text)) return 'must be more than 0';
  return Number.parseInt(text, 10) > Number.MAX_SAFE_INTEGER ? tooMuch : undefined;
}

/**
 * Reads decimal text exactly. Zeros at the end do not count as decimals: 100.0 JPY is 100 JPY.
 *
 * @returns the minor units, or a sentence that says what is wrong with the text
 */
export function parseAmount(text: string, currency: string): number | string {
  const error = amountError(text);
  if (error !== undefined) return error;
  const [whole = '', digits = ''] = text.split('.');
  const decimals = decimalsOf.get(currency) ?? 0;
  const fraction = digits.replace(/0+$/, '');
  if (fraction.length > decimals) return `must have at most ${decimals} decimals in ${currency}`;
  const minor = Number(whole + fraction.padEnd(decimals, '0'));
  // Up to there each whole number is itself, and what is more is never rounded down to it.
  return minor > Number.MAX_SAFE_INTEGER ? tooMuch : minor;
}

/** The shortest decimal text: 10050 COP is 100.5. */
export function formatAmount(minor: number, currency: string): string {
  const { whole, fraction } = partsOf(minor, currency);
  const decimals = fraction.replace(/0+$/, '');
  return decimals ? `${whole}.${decimals}` : whole;
}

/** As a Colombian reads it: 150000050 COP is $1.500.000,50, 1990 EUR is 19,90 EUR. Only pesos are meant by $. */
export function writeMoney(minor: number, currency: string): string {
  const { whole, fraction } = partsOf(minor, currency);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, '.');
  const amount = /[1-9]/.test(fraction) ? `${grouped},${fraction}` : grouped;
  return currency === 'COP' ? `$${amount}` : `${amount} ${currency}`;
}

function partsOf(minor: number, currency: string): { whole: string; fraction: string } {
  const decimals = decimalsOf.get(currency) ?? 0;
  const digits = String(minor).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return { whole: digits.slice(0, point), fraction: digits.slice(point) };
}
