/**
 * The text of a file that a person has written: UTF-8, or what PowerShell writes, UTF-16 with a byte order mark. Without the mark.
 *
 * @throws TypeError if `fatal`, and the bytes are not of that encoding
 */
export const decodeFile = (bytes: Uint8Array, { fatal = false } = {}): string =>
  new TextDecoder(encodingOf(bytes), { fatal }).decode(bytes);

function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}
