import type { Outcome } from '../contract/notification.ts';

/** What came back over HTTP. */
export interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

/** Not asked: as many sends as we allow are under way. */
export const overloaded = { outcome: 'not_sent', reason: 'overloaded', no_outage: true } satisfies Outcome;

/** It took the request, and nobody can tell what it says about it. */
export const unreadableAnswer = { outcome: 'unknown', reason: 'unreadable_answer' } satisfies Outcome;

/** What an answer means that tells no more than its status. */
export function outcomeOfStatus({ status, retryAfter }: Answer, reason = `http_${status}`): Outcome {
  if (status === 400 || status === 409 || status === 413 || status === 422)
    return { outcome: 'not_sent', reason, no_outage: true }; // it did not like this one request
  if (status >= 400 && status < 500) return { outcome: 'not_sent', reason, ...retryAfterOf(retryAfter) };
  return { outcome: 'unknown', reason };
}

/**
 * What a failed call means. Nothing was sent as long as the request was not written to a connection; from then on
 * nobody knows.
 */
export function outcomeOfError(error: unknown, written: boolean): Outcome {
  const { code, name } = error as { code?: string; name?: string };
  if (written)
    return { outcome: 'unknown', reason: name === 'TimeoutError' ? 'deadline_passed' : 'connection_lost' };
  if (code === 'EMFILE' || code === 'ENFILE') return overloaded;
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

/** Seconds or a date, RFC 9110 section 10.2.3. */
export function retryAfterOf(header: string | undefined): { retry_after_ms?: number } {
  if (!header) return {};
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isSafeInteger(ms) && ms >= 0 ? { retry_after_ms: ms } : {};
}

/** The value, or undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
