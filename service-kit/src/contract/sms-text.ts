import { SegmentedMessage } from 'sms-segments-calculator';

type SmsEncoding = 'GSM-7' | 'UCS-2';

/** GSM 03.38, the basic set: one septet each. */
const basic = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;
export const notGsm7 =
  /[^@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\f^{}\\[~\]|€]/gu;

/** The characters of an SMS, alone or as a part of a longer text. `onePlace` matches texts whose characters take one each. */
const capacities = {
  'GSM-7': { alone: 160, asPart: 153, onePlace: basic },
  // Letters without combining marks, and common punctuation: none forms a cluster that must not be split.
  'UCS-2': { alone: 70, asPart: 67, onePlace: /^[\t\n\r -\u02ff‘’‚“”„–—…€]*$/ },
};

/**
 * The encoding of a text, and the number of SMS that it is billed as. Uses the library only for characters that take several
 * places and must not be split between two SMS, because it takes a millisecond for a text of 200 characters.
 */
export function measureText(text: string): { encoding: SmsEncoding; segments: number } {
  const encoding = isGsm7(text) ? 'GSM-7' : 'UCS-2';
  if (text.length <= capacities['UCS-2'].alone) return { encoding, segments: 1 };
  const { alone, asPart, onePlace } = capacities[encoding];
  if (onePlace.test(text))
    return { encoding, segments: text.length <= alone ? 1 : Math.ceil(text.length / asPart) };
  return { encoding, segments: new SegmentedMessage(text).segmentsCount };
}

export const isGsm7 = (text: string) => text.search(notGsm7) === -1;
