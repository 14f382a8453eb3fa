import { SegmentedMessage } from 'sms-segments-calculator';

type SmsEncoding = 'GSM-7' | 'UCS-2';

/** GSM 03.38, the basic set: one septet each. Most receipts are of it, and need no closer look. */
const basic = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;
const gsm7 =
  /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\f^{}\\[~\]|€]*$/;
const charactersInOneSegment = 160;

/** How the text travels, and how many SMS it takes: it is billed by them. */
export function measureText(text: string): { encoding: SmsEncoding; segments: number } {
  if (text.length <= charactersInOneSegment && basic.test(text)) return { encoding: 'GSM-7', segments: 1 };
  const message = new SegmentedMessage(text);
  return { encoding: message.encodingName as SmsEncoding, segments: message.segmentsCount };
}

export const isGsm7 = (text: string) => gsm7.test(text);

/**
 * The text in GSM-7 as far as it can be: á becomes a, a curly quote a straight one. One character outside GSM-7 makes the
 * whole text UCS-2, which has room for 70 characters where GSM-7 has 160. What GSM-7 has, such as é and ñ, stays, whether it
 * comes as one character or as a letter and its mark.
 */
export function transliterate(text: string): string {
  return Array.from(text.normalize('NFC'), (character) => {
    if (isGsm7(character)) return character;
    const plain = punctuation[character] ?? character.normalize('NFKD').replace(/\p{Mn}/gu, '');
    // A mark on its own has no plain form: to leave it out would change the text without a trace.
    return plain !== '' && isGsm7(plain) ? plain : character;
  }).join('');
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
