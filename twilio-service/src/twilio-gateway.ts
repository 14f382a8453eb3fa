import { type Answer, parseJson, reasonOfError, unreadableAnswer } from 'service-kit/client/answer.ts';
import { basicAuthorization, createHttpClient } from 'service-kit/client/http-client.ts';
import { answeredIdSchema } from 'service-kit/contract/notification.ts';
import type { Check, Reading } from 'service-kit/provider/account.ts';
import { type Gateway, type LiveGatewayOptions, phoneUnknown } from 'service-kit/provider/gateway.ts';
import { z } from 'zod';
import { codeOf, codeSchema, notPermitted, readError } from './twilio-errors.ts';
import { readFound } from './twilio-receipts.ts';

export interface TwilioAccount {
  accountSid: string;
  /** The account's sid and auth token, or an API key and its secret. */
  username: string;
  password: string;
  sender: { From: string } | { MessagingServiceSid: string };
}

export interface TwilioOptions extends LiveGatewayOptions, TwilioAccount {
  /** Where Twilio reaches this service; without it no delivery receipts are requested. */
  publicUrl?: string | undefined;
}

/**
 * Sends SMS through Twilio's API.
 *
 * Uses undici instead of the official package (6.2.0), which takes 54 packages and 29 MB on disk, 500 ms and 41 MB of memory
 * until it has a client (Node.js 26); undici takes one and 2.7 MB, 110 ms and 24 MB, and receipts need it anyway. The package
 * has no deadline over connecting, headers and body together, and does not report whether a request was written: an SMS that
 * could go through another provider at once would count as possibly sent.
 */
export function createTwilioGateway(options: TwilioOptions): Gateway {
  const { accountSid, username, password, sender, publicUrl } = options;
  const api = createHttpClient(options);
  const messages = `/2010-04-01/Accounts/${accountSid}/Messages`;
  const headers = { authorization: basicAuthorization(username, password), accept: 'application/json' };

  return {
    async send({ phone, message, idempotency_key, ttl_seconds }) {
      if (!phone) return phoneUnknown;
      const form = new URLSearchParams({ To: phone, ...sender, Body: message });
      if (ttl_seconds !== undefined) form.set('ValidityPeriod', String(validityPeriod(ttl_seconds)));
      // A receipt without a key could not be assigned to a payment.
      if (publicUrl && idempotency_key !== null)
        form.set('StatusCallback', statusCallbackUrl(publicUrl, idempotency_key));
      const begunAt = performance.now();
      let fault: Reading['fault'];
      const outcome = await api.send(
        {
          method: 'POST',
          path: `${messages}.json`,
          headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
          body: form.toString(),
        },
        (answer) => {
          const reading = readAnswer(answer);
          fault = reading.fault;
          return reading.outcome;
        },
      );
      return options.account.learnFromSend({ outcome, fault }, phone, begunAt);
    },

    /**
     * Sends the credentials, so that a circuit does not close before they are right. It reads messages and not the account
     * itself, which a Standard API key may not read.
     */
    async check() {
      try {
        return readCheck(await api.call({ method: 'GET', path: `${messages}.json?PageSize=1`, headers }));
      } catch (error) {
        return { state: 'unhealthy', reason: reasonOfError(error) };
      }
    },

    receipts: publicUrl ? ['push', 'pull'] : ['pull'],

    async find(messageId) {
      if (!messageSid.test(messageId)) return { found: 'unknown_message' };
      try {
        const answer = await api.call({ method: 'GET', path: `${messages}/${messageId}.json`, headers });
        return readFound(answer, messageId, options.account);
      } catch (error) {
        return { found: 'unanswered', reason: reasonOfError(error) };
      }
    },

    close: api.close,
  };
}

/** https://www.twilio.com/docs/glossary/what-is-a-sid */
const messageSid = /^(SM|MM)[\da-fA-F]{32}$/;

export const statusPath = '/webhooks/twilio/status';

/**
 * The fragment asks Twilio to repeat a callback up to 5 times, whatever went wrong. It is not part of what Twilio signs.
 * https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
 */
const statusCallbackUrl = (publicUrl: string, idempotencyKey: string) =>
  `${publicUrl}${statusPath}?key=${encodeURIComponent(idempotencyKey)}#rc=5&rp=all`;

/** In seconds, within Twilio's bounds. */
const validityPeriod = (ttlSeconds: number) => Math.min(Math.max(Math.trunc(ttlSeconds), 1), 36_000);

const messageSchema = z.object({
  sid: answeredIdSchema.optional().catch(undefined),
  status: z.string().optional().catch(undefined),
  error_code: codeSchema,
});
const failedStatuses = ['failed', 'undelivered', 'canceled'];

/** The sid, the status and the codes decide; another field may be anything. */
export function readAnswer(answer: Answer): Reading {
  const json = parseJson(answer.body);
  if (answer.status !== 201) {
    if (answer.status >= 200 && answer.status < 300) return { outcome: unreadableAnswer };
    return readError(answer, codeOf(json));
  }
  const message = messageSchema.safeParse(json).data;
  if (!message) return { outcome: unreadableAnswer };
  const { sid, status, error_code } = message;
  if (status !== undefined && failedStatuses.includes(status))
    return readError(answer, error_code, `twilio_${status}`);
  if (sid) return { outcome: { outcome: 'accepted', message_id: sid } };
  return error_code ? readError(answer, error_code) : { outcome: unreadableAnswer };
}

const listSchema = z.object({ messages: z.array(z.unknown()) });

/**
 * Only the refusal of the credentials is a refusal: an API key may be allowed to create messages and nothing else, so that
 * another 4xx says nothing of what a send would meet. Neither does a 200 without a list, such as the page of a proxy: a circuit
 * that it closed would open again with the next sends.
 */
function readCheck({ status, body }: Answer): Check {
  const json = parseJson(body);
  if (status === 200)
    return listSchema.safeParse(json).success
      ? { state: 'healthy' }
      : { state: 'unknown', reason: 'unreadable_answer' };
  const code = codeOf(json);
  if (status === 403 || code === notPermitted) return { state: 'unknown', reason: 'check_forbidden' };
  if (status === 401) return { state: 'refused', reason: 'credentials' };
  const isAnswered = status >= 400 && status < 500;
  return {
    state: isAnswered ? 'unknown' : 'unhealthy',
    reason: isAnswered && code ? `twilio_${code}` : `http_${status}`,
  };
}
