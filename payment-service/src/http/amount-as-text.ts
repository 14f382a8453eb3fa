/**
 * Parses JSON, with each number named `amount` as the text that was written, because a double would change 90071992547409.91
 * and 1e2 before they are validated.
 *
 * @throws SyntaxError
 */
export const parseWithAmountAsText = (text: string): unknown => JSON.parse(text, sourceOfAmount);

const sourceOfAmount = (key: string, value: unknown, { source }: { source: string | undefined }) =>
  key === 'amount' && typeof value === 'number' ? source : value;
