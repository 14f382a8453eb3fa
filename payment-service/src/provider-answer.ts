import {
  notifyReplySchema,
  type Outcome,
  outcomeMembersSchema,
  type Provider,
  unknownKeySchema,
} from 'service-kit/notification.ts';
import {
  type Answer,
  outcomeOfStatus,
  parseJson,
  retryAfterOf,
  unreadableAnswer,
} from 'service-kit/outgoing/answer.ts';
import { z } from 'zod';

/**
 * Reads the answer of a provider service. A provider service says itself what the outcome is; the status alone decides
 * where something else answers in its place, such as a proxy or an older release.
 */
export function outcomeOfAnswer(provider: Provider, answer: Answer): Outcome {
  const json = parseJson(answer.body);
  if (answer.status === 200) {
    const reply = notifyReplySchema.safeParse(json);
    if (reply.success && reply.data.provider === provider)
      return { outcome: 'accepted', message_id: reply.data.message_id };
    return unreadableAnswer;
  }
  const told = outcomeMembersSchema.safeParse(json);
  if (told.success) {
    const { outcome, reason, no_outage } = told.data;
    if (outcome !== 'not_sent') return { outcome, reason };
    return { outcome, reason, ...retryAfterOf(answer.retryAfter), ...(no_outage && { no_outage }) };
  }
  return outcomeOfStatus(answer);
}

/**
 * Reads the answer to what became of an attempt; undefined if nobody knows. A provider service that has never heard of an
 * attempt says since when it has heard of all: what began after that, and a margin for clocks that differ, never came.
 */
export function settledBy(provider: Provider, answer: Answer, attemptStartedAt: number): Outcome | undefined {
  if (answer.status === 404) {
    const unknown = unknownKeySchema.safeParse(parseJson(answer.body));
    return unknown.success && attemptStartedAt > Date.parse(unknown.data.complete_since) + clockMarginMs
      ? { outcome: 'not_sent', reason: 'never_received' }
      : undefined;
  }
  // Any other problem is about the question, such as that the service is stopping.
  const told = answer.status === 200 || toldSchema.safeParse(parseJson(answer.body)).success;
  const outcome = told ? outcomeOfAnswer(provider, answer) : undefined;
  return outcome?.outcome === 'unknown' ? undefined : outcome;
}

const toldSchema = outcomeMembersSchema.extend({ type: z.string().startsWith('urn:problem:notification-') });

const clockMarginMs = 1000;
