/** A valid escape, or what a text must not contain as it is (RFC 8259 section 7), or the quotation mark that bounds it. */
const special = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})|["\\\p{Cc}]/gu;

/**
 * JSON without what makes its texts invalid: control characters, and backslashes that begin no escape. They are replaced by U+FFFD
 * within a text, and by a space between two.
 */
export function repairTexts(json: string): string {
  let isWithinText = false;
  return json.replace(special, (found) => {
    if (found === '"') isWithinText = !isWithinText;
    if (found === '"' || found.length > 1) return found;
    return isWithinText ? '\uFFFD' : ' ';
  });
}
