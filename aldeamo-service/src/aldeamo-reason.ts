const longestReason = 200;
/** What is told beyond it, of up to 64 KiB, would only be cut off later. */
const longestTold = 2000;
/** Shorter messages are words that any reason may have. */
const shortestMessage = 8;
/** … and so are shorter parts of a message. */
const shortestPart = 12;

/**
 * Aldeamo's own words as a reason: they go to logs and clients, so they keep neither the phone nor the message that
 * Aldeamo may have quoted, the message in part, in another case or without its accents.
 */
export function redactedReason(text: string | null | undefined, message: string): string {
  const told = withoutParts((text ?? '').slice(0, longestTold), message)
    .replace(/(["“«])[^"”»]*(["”»])/g, '$1…$2')
    .replace(/\d(?:[\s()./_-]{0,2}\d){5,}/g, (digits) => `…${digits.replace(/\D/g, '').slice(-2)}`)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, longestReason)
    .toWellFormed();
  return told || 'refused';
}

/** Each part of the text that stands in the message, too, is an ellipsis. */
function withoutParts(text: string, message: string): string {
  if (message.length < shortestMessage) return text;
  const [said, sent] = [fold(text), fold(message)];
  const shortest = Math.min(shortestPart, sent.length);
  let left = '';
  for (let at = 0; at < text.length; ) {
    let end = at + shortest;
    if (end > text.length || !sent.includes(said.slice(at, end))) {
      left += text.charAt(at);
      at += 1;
      continue;
    }
    while (end < text.length && sent.includes(said.slice(at, end + 1))) end += 1;
    left += '…';
    at = end;
  }
  return left;
}

/** Character by character, so that what is found in one is at the same place in the other. */
const fold = (text: string) =>
  text
    .split('')
    .map((character) =>
      /\s/.test(character) ? ' ' : character.normalize('NFD').charAt(0).toLowerCase().charAt(0),
    )
    .join('');
