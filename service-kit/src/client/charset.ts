import { parseJson } from './answer.ts';

const utf8 = new TextDecoder();

/**
 * The text of a body by the charset of its Content-Type, without a byte order mark; what cannot be decoded is U+FFFD. It is
 * UTF-8 (RFC 8259 section 8.1) without a charset, and with one that is unknown or makes no JSON of it: texts may suffer, but the
 * syntax, the codes and the ids of JSON are ASCII in every charset but UTF-16. Those whose characters may end in an ASCII byte,
 * such as Big5, would swallow a backslash or a quotation mark of another charset. A body is UTF-16 only if it looks so, whatever
 * is declared.
 */
export function textOf(body: Buffer, contentType = ''): string {
  const decoder = decoderOf(body, contentType);
  const text = decoder.decode(body);
  return decoder === utf8 || parseJson(text) !== undefined ? text : utf8.decode(body);
}

function decoderOf(body: Buffer, contentType: string): TextDecoder {
  const utf16 = utf16Of(body);
  if (utf16) return new TextDecoder(utf16);
  if (!contentType.includes(';') || contentType.endsWith('; charset=utf-8')) return utf8;
  const charset = /;\s*charset\s*=\s*["']?([^\s"';,]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8';
  if (charset === 'utf-8') return utf8;
  try {
    const decoder = new TextDecoder(charset);
    return decoder.encoding.startsWith('utf-16') ? utf8 : decoder;
  } catch {
    return utf8;
  }
}

/** JSON begins with two ASCII characters, so that the zeros among its first bytes say which UTF-16 it is (RFC 4627 section 3). */
function utf16Of([first, second, third, fourth]: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if ((first === 0xff && second === 0xfe) || (second === 0 && fourth === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && third === 0)) return 'utf-16be';
  return undefined;
}
