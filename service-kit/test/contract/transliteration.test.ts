import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isGsm7 } from '../../src/contract/sms-text.ts';
import { transliterate } from '../../src/contract/transliteration.ts';

/** Each character of Unicode that is no letter of Chinese or Korean, and above U+2000 no letter at all. */
const characters = Array.from({ length: 0xe0200 - 0xa0 }, (_, index) =>
  String.fromCodePoint(index + 0xa0),
).filter(
  (one) =>
    one < '\u2000' ||
    !/[\p{Lo}\p{Cn}\p{Co}\p{Cs}]/u.test(one) ||
    /\p{Default_Ignorable_Code_Point}/u.test(one),
);
const ascii = Array.from({ length: 0x5f }, (_, index) => String.fromCharCode(0x20 + index));

describe('transliterate', () => {
  test.each([
    ['Pago recibido', 'Pago recibido'],
    ['Ñandú: 5 € por café', 'Ñandu: 5 € por café'],
    ['“hola” – ‘adiós’…', '"hola" - \'adios\'...'],
    ['«uno» ‹dos› „tres‟ ❝cuatro❞ 〝cinco〞', '"uno" \'dos\' "tres" "cuatro" "cinco"'],
    ['´hola´ `adiós` 5′ 3″', "'hola' 'adios' 5' 3\""],
    ['a‐b‑c‒d–e—f―g⁃h', 'a-b-c-d-e-f-g-h'],
    ['−5 ⁻¹ ➖', '-5 -1 -'],
    ['• $100\n◦ $200\n▪ $300', '* $100\n* $200\n* $300'],
    ['col·legi 3·5', 'col.legi 3.5'],
    ['½ ⅓ 2⁄3', '1/2 1/3 2/3'],
    ['a ≠ b', 'a =/ b'],
    ['2 × 3 ÷ 4', '2 x 3 / 4'],
    ['ﬁn Ｆin ５ ⅷ №', 'fin Fin 5 viii No'],
    ['mañana', 'mañana'],
    ['man\u0303ana', 'mañana'], // decomposed
    ['cafe\u0301', 'café'],
    ['adio\u0301s', 'adios'],
    ['a\u00a0b\tc\u202fd\u3000e\u2003f', 'a b c d e f'],
    ['uno\u2028dos\u2029tres', 'uno\ndos\ntres'],
    ['tran\u00adsac\u200bción\u200e \ufeff\u2066ok\u2069\ufe0f', 'transaccion ok'],
    ['e\u200b\u0301 a\u2060\u0301 “\ufe0f', 'é a "'],
    ['10² m² x³ 10⁻² 10²³ (a+b)²', '10^2 m^2 x^3 10^-2 10^23 (a+b)^2'],
    ['10₂ H₂O x₁₂ 10₁₂', '10_2 H2O x12 10_12'],
    ['1½ ½ 3¾ 2⅓5 1½½', '1 1/2 1/2 3 3/4 2 1/3 5 1 1/2 1/2'],
    ['10²5 x₂5 1① ①② 10²½', '10^2 5 x2 5 1 1 1 2 10^2 1/2'],
    ['𝟏½ ５² ٣²', '1 1/2 5^2 ٣^2'],
    ['e\u0301\u0301 a\u0301\u0301 n\u0303\u0303 x\u0301 ａ\u0301', 'é a ñ x a'],
    ['№\u0301 ™\u0301', 'No TM'],
    ['「uno」『dos』﹁tres﹂﹃cuatro﹄｢cinco｣ ＇seis＇', '"uno""dos""tres""cuatro""cinco" \'seis\''],
    ['⁒5', '-5'],
    ['⚫ a ◎ b ⬤ c ➔ d ✓ e \uf0b7 f \uf0a7 g', '* a * b * c * d * e * f * g'],
    ['a\ufffcb', 'ab'],
    ['日本 😀', '日本 😀'],
    ['', ''],
  ])('%j becomes %j', (text, plain) => {
    expect(transliterate(text)).toBe(plain);
  });

  test.each([
    '👨‍👩‍👧',
    '❤️',
    '1️⃣',
    '#️⃣',
    '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
    '👍🏽',
    '🇨🇴',
    '🏳️‍🌈',
    'می‌خواهم',
  ])('%j stays in one piece', (text) => {
    expect(transliterate(`a ${text} b`)).toBe(`a ${text} b`);
  });

  test('removes what shows nothing behind an emoji as well, unless the emoji may need it', () => {
    expect(transliterate('😀\u200b\u202c 😀\ufeff')).toBe('😀 😀');
  });

  test.each(['\u0301', ' \u0301', '¸'])('%j keeps its mark, which has no plain form', (text) => {
    expect(transliterate(text)).toBe(text);
  });

  test('writes each character of the smart encoding table of Twilio in GSM-7', () => {
    const table = createRequire(import.meta.url)('sms-segments-calculator/dist/libs/SmartEncodingMap.js');
    const left = Object.keys(table.default).filter((character) => !isGsm7(transliterate(character)));
    expect(left).toEqual([]);
  });

  test('leaves no space, dash, quotation mark or invisible character that costs UCS-2', () => {
    const kinds =
      /[\p{Z}\p{Dash}\p{Pi}\p{Pf}\p{Quotation_Mark}\p{Default_Ignorable_Code_Point}\ufff9-\ufffc]/u;
    const left = characters.filter((one) => kinds.test(one) && !isGsm7(transliterate(`a${one}b`)));
    expect(left).toEqual([]);
  });

  test('removes nothing else, and leaves all of GSM-7 unchanged', () => {
    const invisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffc]/u;
    const removed = characters.filter((one) => !invisible.test(one) && transliterate(one) === '');
    expect(removed).toEqual([]);
    const changed = [...ascii, ...characters].filter((one) => isGsm7(one) && transliterate(one) !== one);
    expect(changed).toEqual([]);
  });

  test('has nothing left to do in what it wrote', () => {
    const changing = characters.filter((one) => transliterate(transliterate(one)) !== transliterate(one));
    expect(changing).toEqual([]);

    const some = fc.oneof(
      fc.constantFrom(...'\u0301\u0303\u0338\u200b\u200d\ufe0f\u20e3\ufffc№½²₂①≠é1oa😀❤日かनि'),
      fc.constantFrom(...characters),
    );
    fc.assert(
      fc.property(fc.array(some, { maxLength: 8 }), (parts) => {
        const plain = transliterate(parts.join(''));
        expect(transliterate(plain)).toBe(plain);
      }),
      { numRuns: 10_000, seed: 20 },
    );
  });
});
