import {
  type Answer,
  isRedirect,
  outcomeOfStatus,
  parseJson,
  retryAfterOf,
  unreadableAnswer,
} from 'service-kit/client/answer.ts';
import { answeredIdSchema } from 'service-kit/contract/notification.ts';
import type { Reading } from 'service-kit/provider/account.ts';
import { z } from 'zod';
import { type Cause, causeOf, codeOf } from './aldeamo-refusals.ts';

/** A number, which may come as text. Undefined if there is none, NaN if it cannot be read. */
export const numberSchema = z
  .unknown()
  .optional()
  .transform((value) => {
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value === 'string' && value.trim() !== '') return Number(value);
    return typeof value === 'number' ? value : Number.NaN;
  });

const textSchema = z.string().nullish().catch(null);
const entrySchema = z.looseObject({
  status: numberSchema,
  transactionId: answeredIdSchema.optional().catch(undefined),
  reason: textSchema,
});
type Entry = z.infer<typeof entrySchema>;
/** What is no object is no entry. */
const entriesSchema = z
  .array(entrySchema.optional().catch(undefined))
  .transform((entries) => entries.filter((entry) => entry !== undefined))
  .optional()
  .catch(undefined);

/**
 * Checks the fields that are used alone, because Aldeamo publishes no schema and may change the others. A field that is not as it
 * should be is missing, so that it hides none of the others.
 */
const answerSchema = z.looseObject({
  status: numberSchema,
  reason: textSchema,
  result: z
    .looseObject({ receivedRequests: entriesSchema, failedRequests: entriesSchema })
    .optional()
    .catch(undefined),
});
type Content = z.infer<typeof answerSchema>;

const credentialsRefused = {
  outcome: { outcome: 'not_sent', reason: 'credentials' },
  fault: 'account',
} satisfies Reading;
const unreadable = { outcome: unreadableAnswer } satisfies Reading;

/**
 * Reads the answer to the send of one SMS.
 *
 * @param label of the SMS, which is its id if the answer has none: Aldeamo's reports name it, too
 */
export function readSend(answer: Answer, label: string): Reading {
  const { status, retryAfter, body } = answer;
  if (status === 401 || status === 403) return credentialsRefused;
  if (status === 429)
    return { outcome: { outcome: 'not_sent', reason: 'throttled', ...retryAfterOf(retryAfter) } };
  if (isRedirect(answer)) return { outcome: outcomeOfStatus(answer), fault: 'sender' };
  if (status !== 200 && (status < 400 || status >= 500)) return { outcome: outcomeOfStatus(answer) };
  const content = answerSchema.safeParse(parseJson(body)).data;
  if (status !== 200) return (content && readKnownRefusal(content)) ?? { outcome: outcomeOfStatus(answer) };
  return content ? readContent(content, label) : unreadable;
}

/** The status of the whole and that of the entry decide; the texts only say why an SMS was refused. */
function readContent(content: Content, label: string): Reading {
  const taken = receivedBy(content).find(({ status }) => status === undefined || status === 1);
  const isRefused = isNegative(content.status);
  if (taken && !isRefused)
    return { outcome: { outcome: 'accepted', message_id: taken.transactionId ?? label } };
  const known = readKnownRefusal(content);
  if (known) return known;
  const refused = refusedBy(content);
  if (refused) return readUnknownRefusal(refused, content);
  // An entry that says that it was received contradicts the whole.
  if (!isRefused || taken?.status === 1) return unreadable;
  // An error of the whole request says nothing about the recipient. If it goes on, it is the account's.
  return { outcome: { outcome: 'not_sent', reason: codeOf(content.status) }, fault: 'sender' };
}

/** A refusal by which the recipient or the account is known to be the cause. Only an entry can be about the recipient. */
function readKnownRefusal(content: Content): Reading | undefined {
  if (content.status === -1) return credentialsRefused;
  for (const { status, reason } of entriesOf(content)) {
    const cause = causeOf(status, reason);
    if (cause) return readCause(cause);
  }
  const cause = causeOf(content.status, content.reason);
  return cause?.about === 'account' ? readCause(cause) : undefined;
}

const readCause = ({ about, reason }: Cause): Reading =>
  about === 'recipient'
    ? { outcome: { outcome: 'rejected', reason } }
    : { outcome: { outcome: 'not_sent', reason }, fault: 'account' };

function readUnknownRefusal(entry: Entry, content: Content): Reading {
  const isFailed = content.result?.failedRequests?.includes(entry) || isNegative(entry.status);
  if (!isFailed)
    return Number.isNaN(entry.status)
      ? unreadable
      : { outcome: { outcome: 'unknown', reason: codeOf(entry.status) } };
  const outcome = { outcome: 'not_sent', reason: codeOf(entry.status), no_outage: true } as const;
  // -1 is an error of authentication where it stands for the whole. Of an entry it is not certain, so that only a run of them counts.
  return entry.status === -1 ? { outcome, fault: 'sender' } : { outcome };
}

const isNegative = (status: number | undefined) => status !== undefined && status < 0;
const receivedBy = ({ result }: Content): Entry[] => result?.receivedRequests ?? [];
const failedBy = ({ result }: Content): Entry[] => result?.failedRequests ?? [];
/** Those that may be a refusal. An entry without a status is one if the whole is. */
const entriesOf = (content: Content): Entry[] => [
  ...receivedBy(content).filter(({ status }) => status !== 1),
  ...failedBy(content),
];
const refusedBy = (content: Content) =>
  failedBy(content)[0] ?? receivedBy(content).find(({ status }) => status !== undefined && status !== 1);
