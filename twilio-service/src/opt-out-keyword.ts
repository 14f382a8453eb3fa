import type { OptOut } from 'service-kit/contract/notification.ts';

/** Those that Twilio heeds by itself, and those of its reference for Spanish. https://help.twilio.com/articles/223134027 */
const stopWords = new Set(
  'STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT BAJA PARAR CANCELAR SALIR DETENER ALTO'.split(' '),
);

/** Without SI, which answers many a question, and which Twilio does not heed by itself: an opt-out is lifted on request alone. */
const startWords = new Set('START YES UNSTOP ALTA INICIAR'.split(' '));

/**
 * The keyword of a recipient's message; undefined for any other message. `OptOutType` comes from a messaging service with advanced
 * opt-out, which has keywords of its own. A message of more than one word is none, as at Twilio.
 */
export function keywordOf(form: URLSearchParams): OptOut['keyword'] | undefined {
  switch (form.get('OptOutType')?.toUpperCase()) {
    case 'STOP':
      return 'stop';
    case 'START':
      return 'start';
    case 'HELP':
      return undefined;
  }
  const word = wordOf(form.get('Body') ?? '');
  if (stopWords.has(word)) return 'stop';
  return startWords.has(word) ? 'start' : undefined;
}

/** Without accents, punctuation and symbols, in upper case. */
const wordOf = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/[\p{M}\p{P}\p{S}\p{Cf}]/gu, '')
    .trim()
    .toUpperCase();
