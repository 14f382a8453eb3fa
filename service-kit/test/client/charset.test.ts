import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/client/answer.ts';
import { textOf } from '../../src/client/charset.ts';

const text = '{"reason": "Número inválido €"}';
const utf16be = Buffer.from(text, 'utf16le').swap16();
const windows1252 = Buffer.from(text.replace('€', '\u0080'), 'latin1');
const mark = Buffer.from('\ufeff');

describe('the text of a body', () => {
  test.each<[contentType: string | undefined, body: Buffer]>([
    [undefined, Buffer.from(text)],
    ['application/json', Buffer.from(text)],
    ['application/json; charset=utf-8', Buffer.from(text)],
    ['application/json; charset=utf8mb4', Buffer.from(text)],
    ['application/json; charset=', Buffer.from(text)],
    ['application/json; charset=utf-8', Buffer.concat([mark, Buffer.from(text)])],
    ['application/json; charset=iso-8859-1', windows1252],
    ['application/json;charset="ISO-8859-1"', windows1252],
    ['APPLICATION/JSON ; CHARSET=Windows-1252; a=b', windows1252],
    ["text/html; charset='latin1'", windows1252],
    ['json; charset=windows-1252', windows1252],
    ['application/json; charset=utf-16', Buffer.from(text, 'utf16le')],
    [
      'application/json; charset=utf-16',
      Buffer.concat([Buffer.from('\ufeff', 'utf16le'), Buffer.from(text, 'utf16le')]),
    ],
    ['application/json; charset=utf-16be', utf16be],
    ['application/json', utf16be],
    ['application/json; charset=utf-8', Buffer.from(text, 'utf16le')],
    // Declared, and not so: texts of single bytes would suffer, but the syntax would not.
    ['application/json; charset=utf-16', Buffer.from(text)],
    ['application/json; charset=ucs-2', Buffer.from(text)],
  ])('of %s is read', (contentType, body) => {
    expect(textOf(body, contentType)).toBe(text);
  });

  test.each([
    undefined,
    'application/json; charset=utf-8',
    'application/json; charset=utf-16le',
    'application/json; charset=unheard-of',
    'application/json; charset=iso-2022-kr', // TextDecoder knows it, and refuses it
    'application/json; charset=utf-7',
  ])('that is ISO-8859-1, and declared as %s, has U+FFFD for what cannot be decoded', (contentType) => {
    expect(textOf(Buffer.from('{"reason": "Número"}', 'latin1'), contentType)).toBe(
      '{"reason": "N\ufffdmero"}',
    );
  });

  test.each([
    'iso-8859-1',
    'windows-1252',
    'ibm866',
    'koi8-r',
    'shift_jis',
    'gb18030',
    'big5',
    'euc-kr',
    'iso-2022-jp',
    'macintosh',
    'x-user-defined',
  ])('that is UTF-8, and declared as %s, still has its syntax, its codes and its ids', (charset) => {
    const read = textOf(
      Buffer.from('{"reason": "Número é", "sid": "SM1"}'),
      `application/json; charset=${charset}`,
    );
    expect(JSON.parse(read)).toMatchObject({ sid: 'SM1' });
  });

  // In these, the second byte of a character may be a backslash, a brace or, after an escape sequence, a quotation mark.
  test.each([
    ['big5', '{"reason": "N\xfamero \xe9\\"x", "sid": "SM1"}'],
    ['gbk', '{"reason": "N\xfamero \xe9\\"x", "sid": "SM1"}'],
    ['gb18030', '{"sid": "SM1", "reason": "\xe9\\", "}'],
    ['shift_jis', '{"sid": "SM1", "reason": "\xe9\\", "}'],
    ['euc-kr', '{"sid": "SM1", "reason": "\xe9\\"x"}'],
    ['iso-2022-jp', '{"reason": "\x1b$Bx", "sid": "SM1"}'],
    ['iso-2022-jp', '{"reason": "x\x0ey", "sid": "SM1"}'],
  ])('that is not %s, as it is declared, still has its syntax and its ids', (charset, body) => {
    const read = textOf(Buffer.from(body, 'latin1'), `application/json; charset=${charset}`);
    expect(parseJson(read)).toMatchObject({ sid: 'SM1' });
  });

  test.each([
    ['big5', 'a4a4a4e5', '中文'],
    ['shift_jis', '955c8e9d', '表持'],
    ['gbk', 'd6d0cec4', '中文'],
    ['iso-2022-jp', '1b2442467c4b5c1b2842', '日本'],
  ])('that is %s, as it is declared, is read by it', (charset, hex, reason) => {
    const body = Buffer.concat([Buffer.from('{"reason": "'), Buffer.from(hex, 'hex'), Buffer.from('"}')]);
    expect(textOf(body, `application/json; charset=${charset}`)).toBe(`{"reason": "${reason}"}`);
  });

  test.each([
    [],
    [0],
    [0xff],
    [0xff, 0xfe],
    [0, 0, 0, 0],
  ])('of a few odd bytes is some text: %j', (...bytes) => {
    expect(textOf(Buffer.from(bytes))).toBeTypeOf('string');
  });
});
