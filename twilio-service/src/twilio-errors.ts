import { type Answer, isRedirect, outcomeOfStatus, retryAfterOf } from 'service-kit/client/answer.ts';
import type { Fault, Reading } from 'service-kit/provider/account.ts';
import { z } from 'zod';

/** The code of an error, a number or its digits: a form has only text, and Twilio's JSON has both. Undefined for anything else. */
export const codeSchema = z
  .union([z.number(), z.string().regex(/^\d+$/)])
  .pipe(z.coerce.number<string | number>().int().positive().max(999_999_999))
  .optional()
  .catch(undefined);

/** The outcome of an error of Twilio. https://www.twilio.com/docs/api/errors */
interface TwilioError {
  outcome: 'rejected' | 'not_sent' | 'unknown';
  /** Twilio is healthy: it declined just this message, or this kind of message. */
  no_outage?: true;
  /** A person must act. */
  fault?: Fault;
  /** The pause if Twilio's answer has no Retry-After. */
  retry_after_ms?: number;
}

const recipient: TwilioError = { outcome: 'rejected' };
const notAllowed: TwilioError = { outcome: 'not_sent', no_outage: true };
const credentials: TwilioError = { outcome: 'not_sent', fault: 'account' };
const account: TwilioError = { outcome: 'not_sent', fault: 'account' };
const sender: TwilioError = { outcome: 'not_sent', fault: 'sender' };
const throttled: TwilioError = { outcome: 'not_sent', retry_after_ms: 1000 };

export const twilioErrors: ReadonlyMap<number, TwilioError> = new Map([
  [21211, recipient], // not a phone number
  [21610, recipient], // has opted out
  [21614, recipient], // not a mobile number
  [21635, recipient], // a landline
  [30005, recipient], // unknown number
  [30006, recipient], // a landline, or an unreachable carrier
  [21408, notAllowed], // no permission for this region
  [21608, notAllowed], // a trial account, and a number it has not verified
  [21612, notAllowed], // no route from this sender to this number
  [20003, credentials],
  [20005, account], // not active
  [30002, account], // suspended
  [21212, sender], // not a phone number
  [21606, sender], // not ours, or cannot send SMS
  [21659, sender], // not a Twilio number
  [21660, sender], // of another account
  [21703, sender], // a messaging service without numbers
  [20429, throttled],
  [21611, throttled], // the queue of this sender is full
  [30001, throttled], // queue overflow
  [20500, { outcome: 'unknown' }],
]);

/** An error that is not in the table has the outcome of its HTTP status. */
export function readError(
  answer: Answer,
  code: number | undefined,
  otherwise = `http_${answer.status}`,
): Reading {
  if (isRedirect(answer)) return { outcome: outcomeOfStatus(answer), fault: 'sender' };
  const reason = code ? `twilio_${code}` : otherwise;
  const error = (code && twilioErrors.get(code)) || errorsOfStatus[answer.status];
  if (!error) return { outcome: outcomeOfStatus(answer, reason) };
  const { outcome, no_outage, fault, retry_after_ms } = error;
  if (outcome !== 'not_sent') return { outcome: { outcome, reason } };
  return {
    outcome: {
      outcome,
      reason,
      ...(retry_after_ms !== undefined && { retry_after_ms, ...retryAfterOf(answer.retryAfter) }),
      ...(no_outage && { no_outage }),
    },
    ...(fault && { fault }),
  };
}

const errorsOfStatus: Record<number, TwilioError> = {
  // The message was created and failed at once: it was not sent, and another provider may send it.
  201: notAllowed,
  401: credentials,
  403: credentials,
  429: throttled,
};
