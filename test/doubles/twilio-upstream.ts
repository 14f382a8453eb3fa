import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { noteSecrets } from '../leaks.ts';
import {
  type Answer,
  Answers,
  basicUser,
  faults,
  type HttpDouble,
  type ReceivedRequest,
  replyJson,
  serveDouble,
} from './http-double.ts';
import { readSend, type TwilioMessage } from './twilio-request.ts';

type TwilioAnswer = Answer<TwilioMessage>;

/** Twilio's own messages quote what they are about. */
const complaintOf = ({ to, text }: TwilioMessage) => `The 'To' number ${to} is not valid for '${text}'.`;

const made = (message: TwilioMessage, status: string, error_code: number | null = null) => ({
  sid: message.sid,
  status,
  error_code,
  error_message: error_code && complaintOf(message),
  to: message.to,
  from: message.from,
  messaging_service_sid: message.messagingServiceSid,
  num_segments: '1',
});

/** Every way in which Twilio can answer a send. */
export const twilio = {
  ...faults<TwilioMessage>(({ accept, reply }) => {
    const message = accept();
    reply(201, made(message, message.from ? 'queued' : 'accepted'));
  }),
  /** An error document that names the number, with the status that Twilio has for this code if none is given. */
  error:
    (code: number, status = statusOf(code), headers: Record<string, string> = {}): TwilioAnswer =>
    ({ message, reply }) =>
      reply(status, { ...errorDocument(code, status), message: complaintOf(message) }, headers),
  /** 201, and the message has failed already. */
  failedAtOnce:
    (code: number | null, status = 'failed'): TwilioAnswer =>
    ({ message, reply }) =>
      reply(201, made(message, status, code)),
  /** Accepted, and nobody can read that. */
  garbage: (({ accept, reply }) => {
    accept();
    reply(201, '{"sid": "SM');
  }) as TwilioAnswer,
  empty: (({ accept, reply }) => {
    accept();
    reply(201, '');
  }) as TwilioAnswer,
};

function statusOf(code: number): number {
  if (code === 20003) return 401;
  if (code === 20429) return 429;
  return code === 20500 ? 500 : 400;
}

const errorDocument = (code: number, status: number) => ({
  code,
  message: `Error ${code}`,
  more_info: `https://www.twilio.com/docs/errors/${code}`,
  status,
});

export interface StatusOptions {
  /** In place of the right signature; null for none. */
  signature?: string | null;
  /** In place of the right parameters, after they were signed. */
  altered?: Record<string, string>;
  /** Makes another URL of the one that was signed. */
  alterUrl?: (url: string) => string;
}

export interface TwilioUpstream extends HttpDouble {
  accountSid: string;
  authToken: string;
  /** Who may call with Basic authorization beside the account: API keys with their secrets. */
  readonly apiKeys: Map<string, string>;
  /** What it was sent that its API does not know, or what it missed. A correct client leaves it empty. */
  readonly violations: string[];
  /** What it has accepted, in order. */
  readonly ledger: TwilioMessage[];
  /** How many sends came in, accepted or not. */
  readonly sends: number;
  /** How sends to a phone (E.164) are answered from now on. */
  readonly answers: Map<string, TwilioAnswer>;
  /** How the next send is answered; several are used up in order. */
  answerNext(answer: TwilioAnswer): void;
  /** How all others are answered from now on. */
  answerAll(answer: TwilioAnswer): void;
  /** How `GET …/Messages.json?PageSize=1` answers those who may send, and `GET …/Accounts/{Sid}.json` the account. */
  account: (response: ServerResponse) => unknown;
  /** Where callbacks go in place of the origin they are for, as through a proxy. */
  callbackOrigin: string | undefined;
  /** Sends a status callback for a message in the ledger; resolves with the status it is answered with. */
  sendStatus(sid: string, status: string, errorCode?: number, options?: StatusOptions): Promise<number>;
}

/** Speaks Twilio's Messages API, strictly. */
export async function startTwilioUpstream({
  accountSid = `AC${'0123456789abcdef'.repeat(2)}`,
  authToken = 'f'.repeat(32),
  port = 0,
} = {}): Promise<TwilioUpstream> {
  const answers = new Answers<TwilioMessage>(twilio.accepted);
  const violations: string[] = [];
  const ledger: TwilioMessage[] = [];
  let sends = 0;

  function mayCall(user: string | undefined): boolean {
    if (user === `${upstream.accountSid}:${upstream.authToken}`) return true;
    return [...upstream.apiKeys].some(([key, secret]) => user === `${key}:${secret}`);
  }

  function handle(request: ReceivedRequest, response: ServerResponse): unknown {
    const user = basicUser(request);
    const account = `/2010-04-01/Accounts/${upstream.accountSid}`;
    if (user === undefined) violations.push(`${request.method} ${request.path}: no Basic authorization`);
    if (request.method === 'POST') sends += 1;
    if (!mayCall(user)) return replyJson(response, 401, errorDocument(20003, 401));
    if (request.method === 'GET' && request.path === `${account}/Messages.json?PageSize=1`)
      return upstream.account(response);
    if (request.method === 'GET' && request.path === `${account}.json`) {
      // A Standard API key may not read the account.
      return user === `${upstream.accountSid}:${upstream.authToken}`
        ? upstream.account(response)
        : replyJson(response, 401, errorDocument(20003, 401));
    }
    const { message, wrong } = readSend(request, `${account}/Messages.json`);
    if (!message) {
      violations.push(...wrong);
      return replyJson(response, 400, { ...errorDocument(20001, 400), message: wrong.join(', ') });
    }
    noteSecrets({ message: message.text, phone: message.to });
    return answers.for(message.to)({
      message,
      response,
      accept: () => {
        ledger.push(message);
        return message;
      },
      reply: (status, body, headers) => replyJson(response, status, body, headers),
    });
  }

  const double = await serveDouble(handle, port);
  const upstream: TwilioUpstream = {
    ...double,
    accountSid,
    authToken,
    apiKeys: new Map(),
    violations,
    ledger,
    get sends() {
      return sends;
    },
    answers: answers.byPhone,
    answerNext: (answer) => answers.next.push(answer),
    answerAll: (answer) => {
      answers.otherwise = answer;
    },
    account: (response) => replyJson(response, 200, {}), // nobody reads more than the status
    callbackOrigin: undefined,
    async sendStatus(
      sid,
      status,
      errorCode,
      { signature, altered, alterUrl = (signed: string) => signed } = {},
    ) {
      const message = ledger.find((sent) => sent.sid === sid);
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
      const right = sign(upstream.authToken, message.statusCallback, form);
      const { origin, pathname, search } = new URL(message.statusCallback);
      const url = new URL(`${pathname}${search}`, upstream.callbackOrigin ?? origin);
      const response = await fetch(alterUrl(url.href), {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
          ...(signature !== null && { 'x-twilio-signature': signature ?? right }),
        },
        body: new URLSearchParams({ ...form, ...altered }).toString(),
      });
      await response.arrayBuffer();
      return response.status;
    },
  };
  return upstream;
}

/** As Twilio's documentation says it, and written apart from the service's own. */
function sign(authToken: string, url: string, form: Record<string, string>): string {
  const hmac = createHmac('sha1', authToken).update(url);
  for (const name of Object.keys(form).toSorted()) hmac.update(`${name}${form[name]}`);
  return hmac.digest('base64');
}
