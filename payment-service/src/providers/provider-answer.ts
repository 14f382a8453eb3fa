import {
  type Answer,
  outcomeOfStatus,
  parseJson,
  retryAfterOf,
  unreadableAnswer,
} from 'service-kit/client/answer.ts';
import type { UpstreamHealth } from 'service-kit/contract/account.ts';
import { modeSchema } from 'service-kit/contract/mode.ts';
import {
  answeredIdSchema,
  type MessageReport,
  messageReportSchema,
  notifyReplySchema,
  type Outcome,
  outcomeMembersSchema,
  type Provider,
  reasonSchema,
  unknownKeySchema,
} from 'service-kit/contract/notification.ts';
import { z } from 'zod';

const replySchema = notifyReplySchema.extend({
  message_id: answeredIdSchema,
  mode: modeSchema.optional().catch(undefined), // no reason to take an accepted SMS for unknown
});

/**
 * Reads the answer of a provider service, which contains the outcome. The status alone decides if it does not, as in the answer
 * of a proxy or of an older release.
 */
export function outcomeOfAnswer(provider: Provider, answer: Answer): Outcome {
  const json = parseJson(answer.body);
  if (answer.status === 200) return acceptedBy(provider, json);
  const members = outcomeMembersSchema.safeParse(json);
  if (members.success) {
    const { outcome, reason, no_outage, account_refused, mode } = members.data;
    const of = mode ? { mode } : {};
    if (outcome === 'unknown') return { outcome, reason, ...of };
    const sign = no_outage ? { no_outage, ...of } : of;
    if (outcome === 'rejected') return { outcome, reason, ...sign };
    return {
      outcome,
      reason,
      ...retryAfterOf(answer.retryAfter),
      ...sign,
      ...(account_refused && { account_refused }),
    };
  }
  return outcomeOfStatus(answer);
}

function acceptedBy(provider: Provider, json: unknown): Outcome {
  const { data } = replySchema.safeParse(json);
  if (data?.provider !== provider) return unreadableAnswer;
  const { message_id, mode, receipts } = data;
  return { outcome: 'accepted', message_id, ...(mode && { mode }), ...(receipts && { receipts }) };
}

/**
 * What a provider service knows of an attempt: its outcome, or undefined if it does not know it. `unanswered`: it cannot say
 * now, such as while its idempotency store is down, so that the same question may have an answer later.
 */
export type QueriedOutcome = Outcome | 'unanswered' | undefined;

/**
 * Reads the answer to DELETE /notify. For an unknown key, a provider service returns for how long it has stored every key: an
 * attempt that is younger never arrived. Durations are compared, each by the clock of its own host, and never the clocks of two.
 */
export function settledBy(provider: Provider, answer: Answer, attemptAgeMs: number): QueriedOutcome {
  if (answer.status === 404) {
    const unknown = unknownKeySchema.safeParse(parseJson(answer.body));
    return unknown.success && attemptAgeMs + marginMs < unknown.data.complete_for_ms
      ? { outcome: 'not_sent', reason: 'never_received' }
      : undefined;
  }
  // Any other problem is about this request, such as that the service is stopping.
  const members = outcomeMembersSchema.safeParse(parseJson(answer.body));
  const hasOutcome = answer.status === 200 || members.data?.outcome_of === 'notification';
  if (!hasOutcome) return 'unanswered';
  const outcome = outcomeOfAnswer(provider, answer);
  if (outcome.outcome !== 'unknown') return outcome;
  const isAboutTheQuery = answer.status === 200 || reasonsOfTheQuery.has(outcome.reason);
  return isAboutTheQuery ? 'unanswered' : undefined;
}

/**
 * `unanswered`: the same question may have an answer later. `forbidden`: the provider refuses to be asked. `unavailable`: it does
 * not know the SMS, or cannot be asked.
 */
export type FoundMessage = MessageReport | 'unanswered' | 'forbidden' | 'unavailable';

/** Reads the answer to GET /messages/{message_id}. */
export function foundMessageOf(
  provider: Provider,
  messageId: string,
  { status, body }: Answer,
): FoundMessage {
  if (status === 200) {
    const { data } = messageReportSchema.safeParse(parseJson(body));
    return data?.provider === provider && data.message_id === messageId ? data : 'unanswered';
  }
  if (status === 401 || status === 403) return 'forbidden';
  return status === 404 ? 'unavailable' : 'unanswered';
}

/** The provider service did not get to the outcome in time. Any other reason is the attempt's own, and final. */
const reasonsOfTheQuery = new Set(['gateway_timeout', 'outcome_unavailable']);

/** Allows for two clocks that do not run at the same rate. */
const marginMs = 1000;

const healthMembersSchema = z.object({
  status: z.enum(['healthy', 'unknown']),
  reason: reasonSchema.nullable().catch(null).default(null),
});
const unhealthyMembersSchema = z.object({
  reason: reasonSchema.catch('unspecified').default('unspecified'),
  account_refused: z.boolean().catch(false).default(false),
  only_a_send_can_tell: z.boolean().catch(false).default(false),
});

/** Reads the answer to GET /health/upstream. */
export function upstreamHealthOf(answer: Answer): UpstreamHealth {
  const json = parseJson(answer.body);
  if (answer.status === 200) {
    const members = healthMembersSchema.safeParse(json);
    return members.success ? { ...members.data, account_refused: false } : unhealthy('unreadable_answer');
  }
  const members = unhealthyMembersSchema.safeParse(json);
  if (answer.status !== 503 || !members.success) return unhealthy(`http_${answer.status}`);
  const { reason, account_refused, only_a_send_can_tell } = members.data;
  return { status: only_a_send_can_tell ? 'unknown' : 'unhealthy', reason, account_refused };
}

export const unhealthy = (reason: string): UpstreamHealth => ({
  status: 'unhealthy',
  reason,
  account_refused: false,
});
