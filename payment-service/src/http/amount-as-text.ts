/**
 * Parses JSON, with the `amount` of the outermost object as the text that was written if it is a number, because a double would
 * change 90071992547409.91 and 1e2 before they are validated. An `amount` within it, such as one in the metadata, stays what it is.
 *
 * @throws SyntaxError
 */
export function parseWithAmountAsText(text: string): unknown {
  const sources = new Map<unknown, string | undefined>();
  function keepSource(
    this: unknown,
    key: string,
    value: unknown,
    { source }: { source: string | undefined },
  ): unknown {
    if (key === 'amount' && typeof value === 'number') sources.set(this, source);
    return value;
  }
  const parsed: unknown = JSON.parse(text, keepSource);
  const amount = sources.get(parsed);
  return amount === undefined ? parsed : Object.assign(parsed as object, { amount });
}
