/**
 * Control, format, private and unassigned characters, halves of surrogate pairs, line separators and what a font leaves out.
 * PostgreSQL stores no NUL and no half of a pair; the others forge lines of a log, or make two ids look the same.
 */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * A text from outside as it is stored, logged and passed on: cut at this many UTF-16 code units, each unprintable character
 * replaced by U+FFFD. Replaced and not refused, because what it belongs to has happened: an SMS that was accepted stays accepted,
 * however odd its id is. The result is its own printable text, so that an id that was cleaned twice is still the same.
 */
export const printable = (text: string, longest: number): string =>
  text.slice(0, longest).replace(unprintable, '\uFFFD');
