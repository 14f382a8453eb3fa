/** JSON.parse source text access, which Node.js has and TypeScript's library does not yet declare. */
interface JSON {
  /** The text of a primitive as it was written; undefined for objects and arrays. */
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source: string | undefined }) => unknown,
  ): unknown;
  /** A value that JSON.stringify writes as this text. */
  rawJSON(text: string): object;
}
