/**
 * The value of a JSON text in which each `amount` that is a number is its decimal text as written: a double would change
 * 90071992547409.91 and 1e2 before they can be validated.
 *
 * @throws SyntaxError
 */
export const parseWithAmountAsText = (text: string): unknown => JSON.parse(text, sourceOfAmount);

const sourceOfAmount = (key: string, value: unknown, { source }: { source: string | undefined }) =>
  key === 'amount' && typeof value === 'number' ? source : value;
