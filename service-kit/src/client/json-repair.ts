/** A valid escape, the quotation mark that bounds a text, or what may be invalid in a text or outside of it (RFC 8259 section 7). */
const special = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})|["\\]|[^ -~]/gu;

/**
 * JSON without what makes it invalid beside its words and punctuation. Within a text, control characters and backslashes that
 * begin no escape are replaced by U+FFFD. Between two, whatever is not ASCII, or not printable, is replaced by a space: other
 * kinds of spaces, and what could not be decoded.
 */
export function repairTexts(json: string): string {
  let isWithinText = false;
  return json.replace(special, (found) => {
    if (found === '"') {
      isWithinText = !isWithinText;
      return found;
    }
    const isEscape = found.length > 1 && found.startsWith('\\');
    if (isEscape || (isWithinText && found > '\u009f')) return found;
    return isWithinText ? '\uFFFD' : ' ';
  });
}
