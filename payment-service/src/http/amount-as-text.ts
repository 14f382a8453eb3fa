/** A number that a double may not tell as it was written: with an exponent, of more than 15 digits, or close to 0. */
const mayBeInexact = /\d[eE]|\d[\d.]{15}|0\.0{6}/;

/**
 * The value of a JSON text, in which each `amount` is the decimal text that was written: JSON.parse would make a double of
 * 90071992547409.91 or 1e2 before anyone could look at it. Any other number of up to 15 digits is the same decimal again; to
 * ask for its source takes ten times as long as the rest, so that is only done for what may be one of those.
 *
 * @throws SyntaxError
 */
export function parseWithAmountAsText(text: string): unknown {
  if (mayBeInexact.test(text)) return JSON.parse(text, sourceOfAmount);
  const value = JSON.parse(text);
  if (typeof value?.amount === 'number') value.amount = String(value.amount);
  return value;
}

const sourceOfAmount = (key: string, value: unknown, { source }: { source: string | undefined }) =>
  key === 'amount' && typeof value === 'number' ? source : value;
