import { SegmentedMessage } from 'sms-segments-calculator';

type SmsEncoding = 'GSM-7' | 'UCS-2';

/** GSM 03.38, the basic set: one septet each. */
const basic = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;
const notGsm7 =
  /[^@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\f^{}\\[~\]|€]/gu;

/** How many characters an SMS has room for, alone or as a part of a longer text, of those that take one place each. */
const rooms = {
  'GSM-7': { alone: 160, asPart: 153, onePlace: basic },
  // Letters without combining marks, and the usual punctuation: none joins its neighbour to one that must not be split.
  'UCS-2': { alone: 70, asPart: 67, onePlace: /^[\t\n\r -\u02ff‘’‚“”„–—…€]*$/ },
};

/**
 * How the text travels, and how many SMS it takes: it is billed by them. The library is asked only where characters take
 * several places and must not be split between two SMS: it takes a millisecond for a text of 200 characters.
 */
export function measureText(text: string): { encoding: SmsEncoding; segments: number } {
  const encoding = isGsm7(text) ? 'GSM-7' : 'UCS-2';
  if (text.length <= rooms['UCS-2'].alone) return { encoding, segments: 1 };
  const { alone, asPart, onePlace } = rooms[encoding];
  if (onePlace.test(text))
    return { encoding, segments: text.length <= alone ? 1 : Math.ceil(text.length / asPart) };
  return { encoding, segments: new SegmentedMessage(text).segmentsCount };
}

export const isGsm7 = (text: string) => text.search(notGsm7) === -1;

/**
 * The text in GSM-7 as far as it can be: á becomes a, a curly quote a straight one. One character outside GSM-7 makes the
 * whole text UCS-2, which has room for 70 characters where GSM-7 has 160. What GSM-7 has, such as é and ñ, stays, whether it
 * comes as one character or as a letter and its mark.
 */
export function transliterate(text: string): string {
  return text.normalize('NFC').replace(notGsm7, (character) => {
    const plain = punctuation[character] ?? character.normalize('NFKD').replace(/\p{Mn}/gu, '');
    // A mark on its own has no plain form: to leave it out would change the text without a trace.
    return plain !== '' && isGsm7(plain) ? plain : character;
  });
}

const punctuation: Record<string, string> = {
  '‘': "'",
  '’': "'",
  '‚': "'",
  '“': '"',
  '”': '"',
  '„': '"',
  '«': '"',
  '»': '"',
  '–': '-',
  '—': '-',
  '…': '...',
  '\t': ' ',
  '\u00a0': ' ',
};
