/** JSON.parse source text access: Node.js has it, TypeScript's library does not declare it yet. */
interface JSON {
  /** `source` is the text of a primitive as it was written; undefined for objects and arrays. */
  parse(
    text: string,
    reviver: (this: unknown, key: string, value: unknown, context: { source: string | undefined }) => unknown,
  ): unknown;
  /** Returns a value that JSON.stringify writes as this text. */
  rawJSON(text: string): object;
}
