import {
  type Answer,
  outcomeOfStatus,
  parseJson,
  retryAfterOf,
  unreadableAnswer,
} from 'service-kit/client/answer.ts';
import { answeredIdSchema, type Outcome } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import { redactedReason } from './aldeamo-reason.ts';

const textSchema = z.string().nullish().catch(null);
const entrySchema = z.looseObject({
  transactionId: answeredIdSchema.optional().catch(undefined),
  reason: textSchema,
});
/** The first entry of a list, since each request is for one SMS. What is no object is no entry. */
const firstEntrySchema = z
  .array(entrySchema.optional().catch(undefined))
  .transform((entries) => entries.find((entry) => entry !== undefined))
  .optional()
  .catch(undefined);

/**
 * Checks the fields that are used alone, because Aldeamo publishes no schema and may change the others. A field that is not as it
 * should be is missing, so that it hides none of the others.
 */
const answerSchema = z.looseObject({
  status: z.coerce.number().optional().catch(undefined),
  reason: textSchema,
  result: z
    .looseObject({ receivedRequests: firstEntrySchema, failedRequests: firstEntrySchema })
    .optional()
    .catch(undefined),
});

/** Aldeamo refuses our user, and so every send. */
export const credentialsRefused = { outcome: 'not_sent', reason: 'credentials' } satisfies Outcome;

/** The outcome of the send of one SMS. */
export function outcomeOfSend(answer: Answer, sent: { message: string; label: string }): Outcome {
  const { status, retryAfter, body } = answer;
  if (status === 401 || status === 403) return credentialsRefused;
  if (status === 429) return { outcome: 'not_sent', reason: 'throttled', ...retryAfterOf(retryAfter) };
  const content = answerSchema.safeParse(parseJson(body)).data;
  if (status !== 200)
    return outcomeOfStatus(
      answer,
      content?.reason ? redactedReason(content.reason, sent.message) : undefined,
    );
  return content ? outcomeOfContent(content, sent) : unreadableAnswer;
}

function outcomeOfContent(
  { status, reason, result }: z.infer<typeof answerSchema>,
  { message, label }: { message: string; label: string },
): Outcome {
  const received = result?.receivedRequests;
  // Aldeamo's reports name the label of an SMS, too, so one without a transaction id is still found.
  if (received) return { outcome: 'accepted', message_id: received.transactionId ?? label };
  const failed = result?.failedRequests;
  if (failed) return outcomeOfRefusal(failed.reason ?? '', redactedReason(failed.reason, message));
  // An error of the whole request says nothing about the recipient: the account may be blocked.
  if (status !== undefined && status < 0)
    return { outcome: 'not_sent', reason: redactedReason(reason || `status_${status}`, message) };
  return unreadableAnswer;
}

/**
 * Aldeamo gives the reason for a refusal as free text. These patterns find the refusals that are about the recipient, in
 * Spanish and English, in text that is lower case and without accents. `invalid` counts only beside a word for the number,
 * because an invalid message, sender or route is no reason to give up on the recipient.
 */
const number =
  '(?:number|numero|nro\\.?|mobile|movil|msisdn|cell ?phone|celular|phone|telefono|linea|destination|destino|recipient|destinatario|addressee|subscriber|suscriptor|abonado)';
const invalid =
  '(?:invalid[oa]?|not valid|no (?:es )?valid[oa]|incorrect[oa]?|errone[oa]|wrong|malformed|mal formado|unknown|desconocid[oa]|unallocated|inexistente|no existe|does not exist|non-?existent)';
const blocked = '(?:blocked|bloquead[oa]|barred)';
// Bounded, so that matching never backtracks for long. The last separator may have been a character without a width.
const fillers =
  '(?:[ :.,-]{1,3}(?:is|es|the|el|la|de|of|for|del|esta|telefonico|format|formato|\\+?\\d{1,15})){0,4}[ :.,-]{0,3}';

const aboutTheRecipient = [
  number + fillers + invalid,
  invalid + fillers + number,
  number + fillers + blocked,
  blocked + fillers + number,
  `^\\W*${blocked}\\W*$`,
  'black ?list(?:ed)?|lista negra|listas? de (?:bloqueo|exclusion)|do not disturb|dnd',
  'opt(?:ed)?[ -]?out|unsubscribed?|dad[oa] de baja|desuscrit[oa]|no (?:desea|quiere) recibir',
].map((words) => new RegExp(`(?<!\\w)(?:${evenUndecoded(words)})(?!\\w)`));

/** The pattern with U+FFFD as each of its letters and separators, which one that could not be decoded became. */
function evenUndecoded(pattern: string): string {
  return pattern.replace(
    /\[([^\]]+)\]|(?<!\\)[a-z ]/g,
    (found, members?: string) => `[\ufffd${members ?? found}]`,
  );
}

/** The outcome of an SMS that Aldeamo refused with this text. */
export function outcomeOfRefusal(text: string, reason: string): Outcome {
  const plain = plainOf(text);
  return aboutTheRecipient.some((pattern) => pattern.test(plain))
    ? { outcome: 'rejected', reason }
    : { outcome: 'not_sent', reason, no_outage: true };
}

/** The words of a text: lower case, without accents and what is invisible, and with one kind of space and of dash. */
const plainOf = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/[\p{Mn}\p{Cf}\p{Default_Ignorable_Code_Point}]+/gu, '')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(/[\p{Pd}_]/gu, '-')
    .replace(/\ufffd+/g, '\ufffd')
    .toLowerCase();
