import { createHmac } from 'node:crypto';
import { request } from 'undici';
import type { TwilioMessage } from './twilio-request.ts';

export interface CallbackOptions {
  /** In place of the right signature; null for none. */
  signature?: string | null;
  /** In place of the right parameters, after they were signed. */
  altered?: Record<string, string>;
  /** In place of the account's own token, as while it is rotated. */
  authToken?: string;
  /** Alters the URL after it was signed. */
  alterUrl?: (url: string) => string;
}

export interface StatusOptions extends CallbackOptions {
  /** Repeats the callback as the fragment of its URL asks for, without the pauses. Otherwise it is made once. */
  repeats?: boolean;
}

interface CallbackSource {
  accountSid: string;
  authToken: string;
  ledger: readonly TwilioMessage[];
  callbackOrigin: string | undefined;
}

/** Sends a status callback for a message in the ledger, and returns the status of its last answer. */
export async function sendStatus(
  upstream: CallbackSource,
  sid: string,
  status: string,
  errorCode?: number,
  options: StatusOptions = {},
): Promise<number> {
  const message = upstream.ledger.find((sent) => sent.sid === sid);
  if (!message?.statusCallback) throw new Error(`no status callback for ${sid}`);
  const form: Record<string, string> = {
    AccountSid: upstream.accountSid,
    ApiVersion: '2010-04-01',
    From: message.from ?? '+15005550006',
    MessageSid: sid,
    MessageStatus: status,
    SmsSid: sid,
    SmsStatus: status,
    To: message.to,
    ...(errorCode !== undefined && { ErrorCode: String(errorCode) }),
    // Of the carrier, without a time zone.
    ...(/delivered$/.test(status) && { RawDlrDoneDate: '2601020304' }),
  };
  const [signedUrl = '', overrides] = message.statusCallback.split('#');
  let repeats = options.repeats ? repeatsOf(overrides) : 0;
  for (;;) {
    const { status: answered } = await post(upstream, signedUrl, form, options);
    if (answered < 400 || repeats === 0) return answered;
    repeats -= 1;
  }
}

/** Sends an SMS of a recipient to the webhook of the number, and returns the answer. */
export function sendInbound(
  upstream: CallbackSource & { inboundUrl: string },
  form: Record<string, string>,
  options: CallbackOptions = {},
) {
  const sid = `SM${'ab'.repeat(16)}`;
  const whole = {
    AccountSid: upstream.accountSid,
    ApiVersion: '2010-04-01',
    MessageSid: sid,
    NumMedia: '0',
    NumSegments: '1',
    SmsMessageSid: sid,
    SmsSid: sid,
    SmsStatus: 'received',
    To: '+15005550006',
    ...form,
  };
  return post(upstream, upstream.inboundUrl, whole, options);
}

async function post(
  upstream: CallbackSource,
  signedUrl: string,
  form: Record<string, string>,
  { signature, altered, authToken = upstream.authToken, alterUrl = (signed) => signed }: CallbackOptions,
) {
  const right = sign(authToken, signedUrl, form);
  const { origin, pathname, search } = new URL(signedUrl);
  const url = new URL(`${pathname}${search}`, upstream.callbackOrigin ?? origin);
  const { statusCode, headers, body } = await request(alterUrl(url.href), {
    method: 'POST',
    reset: true, // an idle connection would delay the stop of the service
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      ...(signature !== null && { 'x-twilio-signature': signature ?? right }),
    },
    body: new URLSearchParams({ ...form, ...altered }).toString(),
  });
  return { status: statusCode, type: headers['content-type']?.toString(), body: await body.text() };
}

/** How often a callback is repeated whose answer is an error: not at all, unless its URL asks for it. */
function repeatsOf(overrides: string | undefined): number {
  const asked = new URLSearchParams(overrides);
  return /all|5xx/.test(asked.get('rp') ?? '') ? Number(asked.get('rc') ?? 1) : 0;
}

/** From Twilio's documentation, and not the service's own, so that a fault there is found. */
function sign(authToken: string, url: string, form: Record<string, string>): string {
  const hmac = createHmac('sha1', authToken).update(url);
  for (const name of Object.keys(form).toSorted()) hmac.update(`${name}${form[name]}`);
  return hmac.digest('base64');
}
