import { createRequire } from 'node:module';
import { isGsm7, notGsm7 } from './sms-text.ts';

/**
 * Replaces characters outside GSM-7 where it can: á becomes a, a curly quote a straight one. One such character makes the whole
 * text UCS-2, of which an SMS has 70 characters instead of 160. Characters of GSM-7 such as é and ñ stay, whether they come as
 * one character or as a letter and its mark. Characters that show nothing are removed, but for those that hold an emoji together.
 * What it wrote has nothing left to replace.
 */
export function transliterate(text: string): string {
  if (isGsm7(text)) return text;
  const plain = replaceAll(text);
  // The o of № may meet the accent behind it only now.
  return plain === text ? plain : transliterate(plain);
}

function replaceAll(text: string): string {
  const visible = text
    .normalize('NFC')
    .replace(invisibleRun, (_, base = '', run: string, keycap: string) => {
      const isSequence = keycap !== '' || (!isGsm7(base) && plainForm(base) === undefined);
      return base + (isSequence ? run.replace(notOfSequences, '') : '') + keycap;
    })
    .normalize('NFC') // a letter and its mark may have been apart
    .replace(moreAccents, (whole, letter: string) =>
      isGsm7(letter) || plainForm(letter) !== undefined ? letter : whole,
    );
  return keepNumbers(visible).replace(notGsm7, (character) => plainForm(character) ?? character);
}

/** A second accent on a letter, and one that no character has together with it. */
const moreAccents = /(\p{L})(?:(?=\p{Mn})\p{Script=Inherited})+/gu;

const superscript = '[⁰¹²³⁴-⁹]';
const subscript = '[₀-₉]';
/** Fractions, and numbers in circles or with a full stop. */
const wholeNumber = '[¼-¾⅐-⅟↉①-⑳⒈-⒛⓪\\u{1f100}-\\u{1f10a}]';

const exponent = new RegExp(`(?<=[\\p{L}\\p{N})\\]])(?<![⁺⁻]|${superscript})[⁺⁻]?${superscript}`, 'gu');
const index = new RegExp(`(?<=\\p{N})(?<!${subscript})[₊₋]?${subscript}`, 'gu');
const besideNumber = new RegExp(
  [
    `(?<=\\p{N})(?=${wholeNumber})`,
    `(?<=(?!⅟)${wholeNumber})(?=\\p{N})`,
    `(?<=${superscript})(?!${superscript})(?=\\p{N})`,
    `(?<=${subscript})(?!${subscript})(?=\\p{N})`,
  ].join('|'),
  'gu',
);

/** Without a sign between them, 10² would become 102, 10₂ as well, and 1½ 11/2. */
const keepNumbers = (text: string) =>
  /\p{No}/u.test(text)
    ? text.replace(exponent, '^$&').replace(index, '_$&').replace(besideNumber, ' ')
    : text;

/**
 * Zero-width characters, soft hyphens, marks of direction, selectors of a variant, the place of an object; with what is before and
 * behind them.
 */
const invisibleRun =
  /([^\p{Default_Ignorable_Code_Point}\ufff9-\ufffc])?([\p{Default_Ignorable_Code_Point}\ufff9-\ufffc]+)(\u20e3?)/gu;

/** Not joiners, selectors of text and emoji, and tags (of flags): they are of use behind a character that costs UCS-2 as it is. */
const notOfSequences = /(?!\u200c|\u200d|\ufe0e|\ufe0f|[\u{e0020}-\u{e007f}])./gu;

/** Twilio's own replacements, which it makes only if the account asks for them; the package exports no path to them. */
const { default: smartEncoding } = createRequire(import.meta.url)(
  'sms-segments-calculator/dist/libs/SmartEncodingMap.js',
) as { default: Record<string, string> };

/** What is left of them belongs to a sequence. */
const invisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffc]/u;

const kinds: [characters: RegExp, plain: string][] = [
  [/[\p{Zs}\t\u2800]/u, ' '],
  [/[\u2028\u2029]/, '\n'],
  // \u2043 is a bullet, \u02d7, ⁒ and ➖ are minus signs, ─ and ━ are drawn as dashes.
  [/[\p{Dash}\u2043\u02d7⁒➖─━¯]/u, '-'],
  [/[‘’‚‛‹›′‵´`ʹʻʼʽˈˊˋ❛❜❟ꞌ՚׳＇]/u, "'"],
  [/[″‶¨˝ʺˮ❝❞❠❮❯״🙶🙷🙸\p{Quotation_Mark}\p{Pi}\p{Pf}]/u, '"'],
  // Not a dash, which would make a negative amount of "• $100".
  // From \uf076 on, those of Symbol and Wingdings, in which word processors write lists.
  [/[•‣◦∙⁌⁍⦁⦾⦿●○◉◎◯◘◙■□▪▫◻◼◆◇◊⬥⬦▶►▸▹▷▲△❖➔➜➝➞➢➣➤★☆✓✔✦✧⚪⚫⚬⬤\uf076\uf0a7\uf0a8\uf0b7\uf0d8\uf0fc]/u, '*'],
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
