import { type Answer, isRedirect, outcomeOfStatus, retryAfterOf } from 'service-kit/client/answer.ts';
import type { ReceiptStatus } from 'service-kit/contract/notification.ts';
import type { Fault, Reading } from 'service-kit/provider/account.ts';
import { z } from 'zod';

/** The code of an error, a number or its digits: a form has only text, and Twilio's JSON has both. Undefined for anything else. */
export const codeSchema = z
  .union([z.number(), z.string().regex(/^\d+$/)])
  .pipe(z.coerce.number<string | number>().int().positive().max(999_999_999))
  .optional()
  .catch(undefined);

const errorSchema = z.object({ code: codeSchema });

/** The code of an answer that is an error document. */
export const codeOf = (json: unknown) => errorSchema.safeParse(json).data?.code;

/** The code of an API key without the permission that a request needs. */
export const notPermitted = 70051;

/** A kind of error, which decides the outcome. */
interface TwilioError {
  outcome: 'rejected' | 'not_sent' | 'unknown';
  /** The circuit does not count it. */
  no_outage?: true;
  /** A person must act. */
  fault?: Fault;
  /** The pause if Twilio's answer has no Retry-After, which is heeded for this or an error that the circuit counts. */
  retry_after_ms?: number;
}

const recipient: TwilioError = { outcome: 'rejected' };
/** Twilio is healthy: it declined just this text or this destination. */
const thisMessage: TwilioError = { outcome: 'not_sent', no_outage: true };
const permission: TwilioError = { outcome: 'not_sent', no_outage: true, fault: 'permission' };
const account: TwilioError = { outcome: 'not_sent', fault: 'account' };
/**
 * The sender, the messaging service, the callback URL or another setting. The circuit does not count it: whether every SMS meets
 * it is for the account to find out, which then opens the circuit. Counted, it would open the circuit again after each check.
 */
const sender: TwilioError = { outcome: 'not_sent', no_outage: true, fault: 'sender' };
const cap: TwilioError = { outcome: 'not_sent', no_outage: true, fault: 'cap', retry_after_ms: 3_600_000 };
const maintenance: TwilioError = { outcome: 'not_sent' };
/** The message failed within Twilio. A 5xx does not say that it has failed: it may have been sent all the same. */
const internal: TwilioError = { outcome: 'not_sent' };
const throttled: TwilioError = { outcome: 'not_sent', retry_after_ms: 1000 };
const ambiguous: TwilioError = { outcome: 'unknown' };

/** https://www.twilio.com/docs/api/errors; a code that is missing has the kind of its HTTP status. */
const codesOfKind: [kind: TwilioError, codes: number[]][] = [
  [recipient, [21211, 21266, 21610, 21614, 21635, 30004, 30005, 30006]],
  [thisMessage, [14103, 21265, 21268, 21602, 21604, 21612, 21617, 21619, 21658]],
  [permission, [21408, 21608]],
  [account, [10001, 20003, 20005, 20403, 20404, 30002, 30037, 70051]],
  [sender, [14108, 21212, 21606, 21607, 21616, 21659, 21660, 21661]],
  [sender, [21701, 21702, 21703, 21704, 21705, 21708, 21709, 21711, 21712]],
  [sender, [30018, 30024, 30032, 30034, 30040, 30041, 30042, 30043]],
  [sender, [21609]], // our own callback URL
  [cap, [30022, 30023, 30027, 30454, 63038]],
  [maintenance, [21730]],
  [internal, [20504, 30500]],
  [throttled, [20429, 21611, 30001]],
  [ambiguous, [20500]],
];

export const twilioErrors: ReadonlyMap<number, TwilioError> = new Map(
  codesOfKind.flatMap(([kind, codes]) => codes.map((code) => [code, kind])),
);

/** By Twilio or the carrier, for the text or for what the sender has sent before. */
const filtered = 30007;

/** What the carrier reported or did not report: it may have sent the SMS, whatever Twilio's status. */
const ofCarrier: ReadonlySet<number | undefined> = new Set([30003, 30008, 30017, 30410]);

/**
 * What Twilio's status of a message and its code say about the delivery; null while it is not known, and for a status that is
 * missing here. `failed` is a message that never left Twilio, `undelivered` the report of a carrier. A code of the sender, the
 * account or a limit decides nothing here, because the other provider has its own: such an SMS is no `filtered` one.
 * https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
 */
export function receiptStatusOf(status: string | undefined, code: number | undefined): ReceiptStatus | null {
  if (status === 'delivered' || status === 'read') return 'delivered'; // the callback of `delivered` may be lost
  if (status === 'canceled') return 'not_sent';
  if (status !== 'failed' && status !== 'undelivered') return null;
  if (code === filtered) return 'filtered';
  if (code && twilioErrors.get(code)?.outcome === 'rejected') return 'refused';
  return status === 'undelivered' || ofCarrier.has(code) ? 'undelivered' : 'not_sent';
}

/** An answer that is no success, with the code that it has. `otherwise` is the reason if it has none. */
export function readError(
  answer: Answer,
  code: number | undefined,
  otherwise = `http_${answer.status}`,
): Reading {
  if (isRedirect(answer)) return { outcome: outcomeOfStatus(answer), fault: 'sender' };
  const reason = code ? `twilio_${code}` : otherwise;
  const error = (code && twilioErrors.get(code)) || errorOfStatus(answer.status);
  if (!error || (error === internal && answer.status >= 500))
    return { outcome: outcomeOfStatus(answer, reason) };
  const { outcome, no_outage, fault, retry_after_ms } = error;
  if (outcome !== 'not_sent') return { outcome: { outcome, reason } };
  const isAboutAll = retry_after_ms !== undefined || !no_outage;
  return {
    outcome: {
      outcome,
      reason,
      ...(retry_after_ms !== undefined && { retry_after_ms }),
      ...(isAboutAll && retryAfterOf(answer.retryAfter)),
      ...(no_outage && { no_outage }),
    },
    ...(fault && { fault }),
  };
}

/** Undefined for a status that speaks for itself. */
function errorOfStatus(status: number): TwilioError | undefined {
  // The message was created and failed at once: it was not sent, and another provider may send it.
  if (status === 201) return thisMessage;
  if (status === 401) return account;
  if (status === 429) return throttled;
  if (status === 408 || status === 409 || status === 413 || status === 422) return undefined;
  // Also 403, which a firewall before Twilio has for a text, too.
  return status >= 400 && status < 500 ? sender : undefined;
}
