import type { Outcome } from '../contract/notification.ts';
import { ConnectError, codeOf } from './connect-error.ts';
import { repairTexts } from './json-repair.ts';

/** An HTTP response. */
export interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

/** Not called, because the limit of concurrent sends is reached. */
export const overloaded = { outcome: 'not_sent', reason: 'overloaded', no_outage: true } satisfies Outcome;

/** The request was received, and its answer cannot be parsed. */
export const unreadableAnswer = { outcome: 'unknown', reason: 'unreadable_answer' } satisfies Outcome;

/** It took nothing, and all sends meet it until a person corrects a URL or the account. It is not followed: it may lead anywhere. */
export const isRedirect = ({ status }: Answer) => status >= 300 && status < 400;

/** The outcome of an answer by its status alone. */
export function outcomeOfStatus(answer: Answer, reason = `http_${answer.status}`): Outcome {
  const { status, retryAfter } = answer;
  if (isRedirect(answer)) return { outcome: 'not_sent', reason: `http_${status}` };
  if (status === 400 || status === 409 || status === 413 || status === 422)
    return { outcome: 'not_sent', reason, no_outage: true }; // this one request is at fault
  if (status >= 400 && status < 500) return { outcome: 'not_sent', reason, ...retryAfterOf(retryAfter) };
  return { outcome: 'unknown', reason };
}

/** The reason of a call that sends nothing and failed. */
export const reasonOfError = (error: unknown): string =>
  outcomeOfError(error, !(error instanceof ConnectError)).reason;

/** The outcome of a call that failed. Nothing was sent unless the request was written to a connection; then it is unknown. */
export function outcomeOfError(error: unknown, written: boolean): Exclude<Outcome, { outcome: 'accepted' }> {
  const { name } = error as Error;
  if (written) return { outcome: 'unknown', reason: reasonOfLoss(name, codeOf(error)) };
  const reason = error instanceof ConnectError ? error.reason : 'connection_failed';
  if (reason === 'overloaded') return overloaded;
  return { outcome: 'not_sent', reason: name === 'TimeoutError' ? 'connect_timeout' : reason };
}

/** Why a request that was written has no whole answer. */
function reasonOfLoss(name: string, code: string): string {
  if (name === 'TimeoutError') return 'deadline_passed';
  if (name === 'HTTPParserError') return 'unreadable_answer'; // it is no HTTP
  return code === tooLong || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'answer_too_long' : 'connection_lost';
}

/** undici's code for a body that is longer than the limit. */
export const tooLong = 'UND_ERR_RES_EXCEEDED_MAX_SIZE';

/** A longer pause, or a date by another clock, would be a mistake; and no timer lasts longer than 24.8 days. */
const longestRetryAfterMs = 86_400_000;

/** Seconds or a date, RFC 9110 section 10.2.3; a day at most. */
export function retryAfterOf(header: string | undefined): { retry_after_ms?: number } {
  if (!header) return {};
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isSafeInteger(ms) && ms >= 0 ? { retry_after_ms: Math.min(ms, longestRetryAfterMs) } : {};
}

/**
 * Undefined for text that is not JSON. JSON that is wrong only within its texts is read all the same, so that a bad character in one
 * does not make the outcome of an SMS unknown. An integer that a number does not hold is returned as its digits: it may be an id.
 */
export const parseJson = (text: string): unknown => parsed(text) ?? parsed(repairTexts(text));

function parsed(json: string): unknown {
  try {
    return /\d{16}/.test(json) ? parseWithSource(json, exactInteger) : JSON.parse(json);
  } catch {
    return undefined;
  }
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

const exactInteger: Reviver = (_key, value, { source = '' }) =>
  typeof value === 'number' && /^-?\d{16,}$/.test(source) && !Number.isSafeInteger(value) ? source : value;

/** JSON.parse source text access: Node.js has it, TypeScript's library does not declare it yet. */
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;
