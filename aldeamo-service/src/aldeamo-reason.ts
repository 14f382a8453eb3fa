import { reasonSchema } from 'service-kit/contract/notification.ts';

/** Of a text of up to 64 KiB; the rest would be cut off later. */
const longestRead = 2000;
/** Shorter messages are words that any reason may contain. */
const shortestMessage = 8;
/** Likewise of parts of a message. */
const shortestPart = 12;

/**
 * Aldeamo's text as a reason for logs and clients. Redacts the phone and the message, which Aldeamo may have quoted, the message
 * in part, in another case or without its accents.
 */
export function redactedReason(text: string | null | undefined, message: string): string {
  const redacted = withoutParts(plain((text ?? '').slice(0, longestRead)), plain(message))
    .replace(/(["“«])[^"”»]*(["”»])/g, '$1…$2')
    // Whatever separates them: a date or an amount of as many digits is redacted, too.
    .replace(/\p{N}(?:[^\p{L}\p{N}]{0,3}\p{N}){5,}/gu, lastTwoDigits)
    .trim();
  return reasonSchema.parse(redacted || 'refused');
}

/** What has no width would hide a phone or a quote from the patterns. */
const plain = (text: string) =>
  text.replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]+/gu, '').replace(/[\p{Cc}\s]+/gu, ' ');

const lastTwoDigits = (digits: string) => `…${(digits.match(/\p{N}/gu) ?? []).slice(-2).join('')}`;

/** Replaces each part of the text that is in the message, too, by an ellipsis. */
function withoutParts(text: string, message: string): string {
  if (message.length < shortestMessage) return text;
  const [folded, sent] = [fold(text), fold(message)];
  const shortest = Math.min(shortestPart, sent.length);
  let left = '';
  for (let at = 0; at < text.length; ) {
    let end = at + shortest;
    if (end > text.length || !sent.includes(folded.slice(at, end))) {
      left += text.charAt(at);
      at += 1;
      continue;
    }
    while (end < text.length && sent.includes(folded.slice(at, end + 1))) end += 1;
    left += '…';
    at = end;
  }
  return left;
}

/** Folds case and accents character by character, so that positions are those of the text. */
const fold = (text: string) =>
  text
    .split('')
    .map((character) =>
      /\s/.test(character) ? ' ' : character.normalize('NFD').charAt(0).toLowerCase().charAt(0),
    )
    .join('');
