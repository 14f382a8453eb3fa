import {
  notifyReplySchema,
  type Outcome,
  outcomeMembersSchema,
  type Provider,
  unknownKeySchema,
} from 'service-kit/notification.ts';

import { z } from 'zod';

/** What came back from a provider service. */
export interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

/**
 * Reads the answer of a provider service. A provider service says itself what the outcome is; the status alone decides
 * where something else answers in its place, such as a proxy or an older release.
 */
export function outcomeOfAnswer(provider: Provider, { status, retryAfter, body }: Answer): Outcome {
  const json = parseJson(body);
  if (status === 200) {
    const reply = notifyReplySchema.safeParse(json);
    if (reply.success && reply.data.provider === provider)
      return { outcome: 'accepted', message_id: reply.data.message_id };
    return { outcome: 'unknown', reason: 'unreadable_answer' };
  }
  const told = outcomeMembersSchema.safeParse(json);
  if (told.success) {
    const { outcome, reason, no_outage } = told.data;
    if (outcome !== 'not_sent') return { outcome, reason };
    return { outcome, reason, ...retryAfterOf(retryAfter), ...(no_outage && { no_outage }) };
  }
  const reason = `http_${status}`;
  if (status === 400 || status === 409 || status === 413 || status === 422)
    return { outcome: 'not_sent', reason, no_outage: true }; // it did not like this one request
  if (status >= 400 && status < 500) return { outcome: 'not_sent', reason, ...retryAfterOf(retryAfter) };
  return { outcome: 'unknown', reason };
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

/** Seconds or a date, RFC 9110 section 10.2.3. */
function retryAfterOf(header: string | undefined): { retry_after_ms?: number } {
  if (!header) return {};
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isSafeInteger(ms) && ms >= 0 ? { retry_after_ms: ms } : {};
}

/**
 * What a failed call means. Nothing was sent as long as the request was not written to a connection; from then on
 * nobody knows.
 */
export function outcomeOfError(error: unknown, written: boolean): Outcome {
  const { code, name } = error as { code?: string; name?: string };
  if (written)
    return { outcome: 'unknown', reason: name === 'TimeoutError' ? 'deadline_passed' : 'connection_lost' };
  if (code === 'EMFILE' || code === 'ENFILE')
    return { outcome: 'not_sent', reason: 'overloaded', no_outage: true };
  return {
    outcome: 'not_sent',
    reason: name === 'TimeoutError' ? 'connect_timeout' : (reasons[code ?? ''] ?? 'connection_failed'),
  };
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection_refused',
  ENOTFOUND: 'dns_failure',
  EAI_AGAIN: 'dns_failure',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
