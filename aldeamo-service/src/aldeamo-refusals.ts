import type { Outcome } from 'service-kit/contract/notification.ts';

/**
 * Aldeamo says in free text why it did not take an SMS. These patterns find the refusals that are about the recipient,
 * in Spanish and English; the text is lower case and without accents by then. An `invalid` counts only beside a word for
 * the number: an invalid message, sender or route is no reason to give up on the recipient.
 */
const number =
  '(?:number|numero|nro\\.?|mobile|movil|msisdn|cell ?phone|celular|phone|telefono|linea|destination|destino|recipient|destinatario|addressee|subscriber|suscriptor|abonado)';
const invalid =
  '(?:invalid[oa]?|not valid|no (?:es )?valid[oa]|incorrect[oa]?|errone[oa]|wrong|malformed|mal formado|unknown|desconocid[oa]|unallocated|inexistente|no existe|does not exist|non-?existent)';
const blocked = '(?:blocked|bloquead[oa]|barred)';
// Bounded, and of words that share no character with what separates them: there is nothing to backtrack over.
const fillers =
  '(?:[ :.,-]{1,3}(?:is|es|the|el|la|de|of|for|del|esta|telefonico|format|formato|\\+?\\d{1,15})){0,4}[ :.,-]{1,3}';

const aboutTheRecipient = [
  new RegExp(`\\b${number}${fillers}${invalid}\\b`),
  new RegExp(`\\b${invalid}${fillers}${number}\\b`),
  new RegExp(`\\b${number}${fillers}${blocked}\\b`),
  new RegExp(`\\b${blocked}${fillers}${number}\\b`),
  new RegExp(`^\\W*${blocked}\\W*$`),
  /\b(black ?list(?:ed)?|lista negra|listas? de (?:bloqueo|exclusion)|do not disturb|dnd)\b/,
  /\b(opt(?:ed)?[ -]?out|unsubscribed?|dad[oa] de baja|desuscrit[oa]|no (?:desea|quiere) recibir)\b/,
];

/** What it means that Aldeamo refused this one SMS. */
export function outcomeOfRefusal(text: string, reason: string): Outcome {
  const plain = text
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase();
  return aboutTheRecipient.some((pattern) => pattern.test(plain))
    ? { outcome: 'rejected', reason }
    : { outcome: 'not_sent', reason, no_outage: true };
}
