import { createRequire } from 'node:module';
import { isGsm7, notGsm7 } from './sms-text.ts';

/**
 * Replaces characters outside GSM-7 where it can: á becomes a, a curly quote a straight one. One such character makes the whole
 * text UCS-2, of which an SMS has 70 characters instead of 160. Characters of GSM-7 such as é and ñ stay, whether they come as
 * one character or as a letter and its mark. Characters that show nothing are removed, but for those that hold an emoji together.
 */
export function transliterate(text: string): string {
  return text
    .normalize('NFC')
    .replace(invisibleRun, (_, base = '', run: string, keycap: string) => {
      const isSequence = keycap !== '' || (!isGsm7(base) && plainForm(base) === undefined);
      return base + (isSequence ? run.replace(notOfSequences, '') : '') + keycap;
    })
    .normalize('NFC') // a letter and its mark may have been apart
    .replace(notGsm7, (character) => plainForm(character) ?? character);
}

/** Zero-width characters, soft hyphens, marks of direction, selectors of a variant; with what is before and behind them. */
const invisibleRun =
  /([^\p{Default_Ignorable_Code_Point}\ufff9-\ufffb])?([\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]+)(\u20e3?)/gu;

/** Not joiners, selectors of text and emoji, and tags (of flags): they are of use behind a character that costs UCS-2 as it is. */
const notOfSequences = /(?!\u200c|\u200d|\ufe0e|\ufe0f|[\u{e0020}-\u{e007f}])./gu;

/** Twilio's own replacements, which it makes only if the account asks for them; the package exports no path to them. */
const { default: smartEncoding } = createRequire(import.meta.url)(
  'sms-segments-calculator/dist/libs/SmartEncodingMap.js',
) as { default: Record<string, string> };

/** What is left of them belongs to a sequence. */
const invisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;

const kinds: [characters: RegExp, plain: string][] = [
  [/[\p{Zs}\t\u2800]/u, ' '],
  [/[\u2028\u2029]/, '\n'],
  // \u2043 is a bullet, \u02d7 and ➖ are minus signs, ─ and ━ are drawn as dashes.
  [/[\p{Dash}\u2043\u02d7➖─━¯]/u, '-'],
  [/[‘’‚‛‹›′‵´`ʹʻʼʽˈˊˋ❛❜❟ꞌ՚׳]/u, "'"],
  [/[«»“”„‟″‶¨˝ʺˮ❝❞❠❮❯〝〞〟⹂״🙶🙷🙸\p{Pi}\p{Pf}]/u, '"'],
  // Not a dash, which would make a negative amount of "• $100".
  [/[•‣◦∙⁌⁍⦁⦾⦿●○◉◘◙■□▪▫◆◇◊▶►▸▹▷❖➢➤★☆]/u, '*'],
  [/[·‧⋅⸱・･]/u, '.'],
  [/×/, 'x'],
];

/** Undefined if there is none. */
function plainForm(character: string): string | undefined {
  if (invisible.test(character)) return undefined;
  const kind = kinds.find(([characters]) => characters.test(character));
  return kind?.[1] ?? smartEncoding[character] ?? decompose(character);
}

/** Without its marks, except in ≠, where the mark is the meaning, and in ¸, of which nothing else is left. */
function decompose(character: string): string | undefined {
  const parts = character.normalize('NFKD');
  const base = /^\p{Sm}/u.test(parts) ? parts : parts.replace(/\p{Mn}/gu, '');
  if (base === character || base.trim() === '') return undefined;
  const plain = base.replace(notGsm7, (part) => plainForm(part) ?? part);
  return isGsm7(plain) ? plain : undefined;
}
