import {
  type Answer,
  outcomeOfStatus,
  parseJson,
  retryAfterOf,
  unreadableAnswer,
} from 'service-kit/client/answer.ts';
import {
  notifyReplySchema,
  type Outcome,
  outcomeMembersSchema,
  type Provider,
  unknownKeySchema,
} from 'service-kit/contract/notification.ts';
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
    if (outcome === 'unknown') return { outcome, reason };
    const sign = no_outage ? { no_outage } : {};
    if (outcome === 'rejected') return { outcome, reason, ...sign };
    return { outcome, reason, ...retryAfterOf(answer.retryAfter), ...sign };
  }
  return outcomeOfStatus(answer);
}

/**
 * Reads the answer to what became of an attempt; undefined if nobody knows. A provider service that has never heard of an
 * attempt says for how long it has heard of all: one that is younger never came. Ages are compared, each by the clock of
 * its own host, and never the clocks of two.
 */
export function settledBy(provider: Provider, answer: Answer, attemptAgeMs: number): Outcome | undefined {
  if (answer.status === 404) {
    const unknown = unknownKeySchema.safeParse(parseJson(answer.body));
    return unknown.success && attemptAgeMs + marginMs < unknown.data.complete_for_ms
      ? { outcome: 'not_sent', reason: 'never_received' }
      : undefined;
  }
  // Any other problem is about the question, such as that the service is stopping.
  const told = answer.status === 200 || toldSchema.safeParse(parseJson(answer.body)).success;
  const outcome = told ? outcomeOfAnswer(provider, answer) : undefined;
  return outcome?.outcome === 'unknown' ? undefined : outcome;
}

const toldSchema = outcomeMembersSchema.extend({ type: z.string().startsWith('urn:problem:notification-') });

/** For a clock that is set while it is relied on, by NTP for one. */
const marginMs = 1000;
