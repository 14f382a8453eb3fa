import {
  type Answer,
  outcomeOfStatus,
  parseJson,
  retryAfterOf,
  unreadableAnswer,
} from 'service-kit/client/answer.ts';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import { redactedReason } from './aldeamo-reason.ts';
import { outcomeOfRefusal } from './aldeamo-refusals.ts';

const textSchema = z.string().nullish().catch(null);
const entriesSchema = z
  .array(
    z.looseObject({
      transactionId: z.union([z.string(), z.number()]).nullish().catch(null),
      reason: textSchema,
    }),
  )
  .nullish();

/** Only what is relied on is checked: Aldeamo publishes no schema, and the rest may change as it likes. */
const answerSchema = z.looseObject({
  status: z.coerce.number().optional().catch(undefined),
  reason: textSchema,
  result: z.looseObject({ receivedRequests: entriesSchema, failedRequests: entriesSchema }).nullish(),
});

/** Aldeamo refuses our user, whoever the SMS is for. */
export const credentialsRefused = { outcome: 'not_sent', reason: 'credentials' } satisfies Outcome;

/** What Aldeamo's answer to the send of one SMS means. */
export function outcomeOfSend(answer: Answer, sent: { message: string; label: string }): Outcome {
  const { status } = answer;
  if (status === 401 || status === 403) return credentialsRefused;
  if (status === 429) return { outcome: 'not_sent', reason: 'throttled', ...retryAfterOf(answer.retryAfter) };
  const parsed = answerSchema.safeParse(parseJson(answer.body));
  const told = parsed.data;
  if (status !== 200)
    return outcomeOfStatus(answer, told?.reason ? redactedReason(told.reason, sent.message) : undefined);
  if (!told) return unreadableAnswer;

  const received = told.result?.receivedRequests?.[0];
  // Aldeamo's reports name an SMS by its label, too: without a transaction id it is still found.
  if (received) return { outcome: 'accepted', message_id: String(received.transactionId || sent.label) };
  const failed = told.result?.failedRequests?.[0];
  if (failed) return outcomeOfRefusal(failed.reason ?? '', redactedReason(failed.reason, sent.message));
  // The whole request is an error, which says nothing about the recipient: it may be the account that is blocked.
  if (told.status !== undefined && told.status < 0)
    return {
      outcome: 'not_sent',
      reason: redactedReason(told.reason || `status_${told.status}`, sent.message),
    };
  return unreadableAnswer;
}
