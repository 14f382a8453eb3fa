import { type Answer, parseJson } from 'service-kit/client/answer.ts';
import { answeredIdSchema, type Receipt } from 'service-kit/contract/notification.ts';
import type { Account } from 'service-kit/provider/account.ts';
import type { Found } from 'service-kit/provider/gateway.ts';
import { z } from 'zod';
import { codeOf, codeSchema, notPermitted, receiptStatusOf, twilioErrors } from './twilio-errors.ts';

/** What became of a message by its status and its code, in a status callback as in the answer to a question. */
interface Delivery {
  status: Receipt['status'] | null;
  reason: string | null;
}

/** The account learns of a failure, because many faults of it show only after Twilio has accepted the SMS. */
export function readDelivery(
  twilioStatus: string | undefined,
  code: number | undefined,
  account: Account,
): Delivery {
  const status = receiptStatusOf(twilioStatus, code);
  if (status === null || status === 'delivered') return { status, reason: null };
  const reason = `twilio_${code ?? twilioStatus}`;
  const fault = code && twilioErrors.get(code)?.fault;
  if (fault) account.learnFromReceipt(fault, reason);
  return { status, reason };
}

/** The code of what does not exist. A 404 without it comes from something before Twilio, and says nothing of the message. */
const notFound = 20404;

/** RFC 2822, as in all of Twilio's documents. */
const dateSchema = z
  .string()
  .transform((text) => new Date(text))
  .pipe(z.date())
  .transform((date) => date.toISOString())
  .optional()
  .catch(undefined);

const messageSchema = z.object({
  sid: answeredIdSchema,
  status: z.string(),
  error_code: codeSchema,
  date_updated: dateSchema,
});

/** The answer to the question for a message. `date_updated` is the time of its latest status. */
export function readFound({ status, body }: Answer, messageId: string, account: Account): Found {
  const json = parseJson(body);
  if (status === 200) {
    const message = messageSchema.safeParse(json).data;
    if (message?.sid !== messageId) return { found: 'unanswered', reason: 'unreadable_answer' };
    const { date_updated: at } = message;
    const delivery = readDelivery(message.status, message.error_code, account);
    return { found: 'report', ...delivery, ...(at && { at }) };
  }
  const code = codeOf(json);
  const reason = code ? `twilio_${code}` : `http_${status}`;
  if (status === 401 || status === 403 || code === notPermitted) return { found: 'forbidden', reason };
  if (status === 404 && code === notFound) return { found: 'unknown_message' };
  return { found: 'unanswered', reason };
}
