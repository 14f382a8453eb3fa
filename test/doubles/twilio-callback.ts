import { createHmac } from 'node:crypto';
import { request } from 'undici';
import type { TwilioMessage } from './twilio-request.ts';

export interface StatusOptions {
  /** In place of the right signature; null for none. */
  signature?: string | null;
  /** In place of the right parameters, after they were signed. */
  altered?: Record<string, string>;
  /** In place of the account's own token, as while it is rotated. */
  authToken?: string;
  /** Repeats the callback as the fragment of its URL asks for, without the pauses. Otherwise it is made once. */
  repeats?: boolean;
  /** Alters the URL after it was signed. */
  alterUrl?: (url: string) => string;
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
  const {
    signature,
    altered,
    authToken = upstream.authToken,
    alterUrl = (signed: string) => signed,
  } = options;
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
  };
  const [signedUrl = '', overrides] = message.statusCallback.split('#');
  const right = sign(authToken, signedUrl, form);
  const { origin, pathname, search } = new URL(signedUrl);
  const url = new URL(`${pathname}${search}`, upstream.callbackOrigin ?? origin);
  // Without keep-alive, because an idle connection would delay the stop of the service.
  const post = async () => {
    const response = await request(alterUrl(url.href), {
      method: 'POST',
      reset: true,
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        ...(signature !== null && { 'x-twilio-signature': signature ?? right }),
      },
      body: new URLSearchParams({ ...form, ...altered }).toString(),
    });
    await response.body.dump();
    return response.statusCode;
  };
  let repeats = options.repeats ? repeatsOf(overrides) : 0;
  for (;;) {
    const answered = await post();
    if (answered < 400 || repeats === 0) return answered;
    repeats -= 1;
  }
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
