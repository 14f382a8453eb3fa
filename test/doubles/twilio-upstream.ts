import type { ServerResponse } from 'node:http';
import { basicUser, type ReceivedRequest, replyJson } from './http-double.ts';
import { type StatusOptions, sendStatus } from './twilio-callback.ts';
import { readSend, type TwilioMessage, wrongHeaders } from './twilio-request.ts';
import {
  acceptedWith,
  startUpstream,
  type Upstream,
  type UpstreamAnswer,
  upstreamAnswers,
} from './upstream.ts';

type TwilioAnswer = UpstreamAnswer<TwilioMessage>;

/** Twilio's messages quote the number and the text. */
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

/** The answers of Twilio to a send. */
export const twilio = {
  ...upstreamAnswers<TwilioMessage>(({ accept, reply }) => {
    const message = accept();
    reply(201, made(message, message.from ? 'queued' : 'accepted'));
  }),
  /** An error document that names the number; with Twilio's status for this code if none is given. */
  error:
    (code: number, status = statusOf(code), headers: Record<string, string> = {}): TwilioAnswer =>
    ({ message, reply }) =>
      reply(status, { ...errorDocument(code, status), message: complaintOf(message) }, headers),
  /** 201, and the message has failed already. */
  failedAtOnce:
    (code: number | null, status = 'failed'): TwilioAnswer =>
    ({ message, reply }) =>
      reply(201, made(message, status, code)),
  /** Accepted, with an unreadable answer. */
  garbage: acceptedWith<TwilioMessage>(201, '{"sid": "SM'),
  empty: acceptedWith<TwilioMessage>(201, ''),
};

/** Of the codes whose answer has another status than 400. */
const statuses: Record<number, number> = {
  20003: 401,
  20403: 403,
  20404: 404,
  20429: 429,
  20500: 500,
  21730: 503,
  63038: 429,
  70051: 403,
};
const statusOf = (code: number) => statuses[code] ?? 400;

const errorDocument = (code: number, status: number) => ({
  code,
  message: `Error ${code}`,
  more_info: `https://www.twilio.com/docs/errors/${code}`,
  status,
});

export interface TwilioUpstream extends Upstream<TwilioMessage> {
  accountSid: string;
  authToken: string;
  /** API keys with their secrets, which are authorized beside the account. */
  readonly apiKeys: Map<string, string>;
  /** Those of the API keys that may create messages, and not list them. */
  readonly restrictedKeys: Set<string>;
  /** How an authorized `GET …/Messages.json?PageSize=1` is answered, and `GET …/Accounts/{Sid}.json` of the account itself. */
  account: (response: ServerResponse) => unknown;
  /** Where callbacks go instead of the origin they are for, as through a proxy. */
  callbackOrigin: string | undefined;
  /** Sends a status callback for a message in the ledger, and returns the status of its answer. */
  sendStatus(sid: string, status: string, errorCode?: number, options?: StatusOptions): Promise<number>;
}

/** Twilio's Messages API. */
export async function startTwilioUpstream({
  accountSid = `AC${'0123456789abcdef'.repeat(2)}`,
  authToken = 'fedcba9876543210'.repeat(2),
  port = 0,
} = {}): Promise<TwilioUpstream> {
  const path = () => `/2010-04-01/Accounts/${upstream.accountSid}`;
  const isAccount = (user: string | undefined) => user === `${upstream.accountSid}:${upstream.authToken}`;
  const isApiKey = (user: string | undefined) =>
    [...upstream.apiKeys].some(([key, secret]) => user === `${key}:${secret}`);
  const isRestricted = (user = '') => upstream.restrictedKeys.has(user.split(':')[0] ?? '');

  function answerOther(request: ReceivedRequest, response: ServerResponse): boolean {
    if (request.method !== 'GET') return false;
    double.violations.push(...wrongHeaders(request));
    if (request.path === `${path()}/Messages.json?PageSize=1`) {
      if (isRestricted(basicUser(request))) replyJson(response, 403, errorDocument(70051, 403));
      else upstream.account(response);
      return true;
    }
    if (request.path !== `${path()}.json`) return false;
    // A Standard API key may not read the account.
    if (isAccount(basicUser(request))) upstream.account(response);
    else replyJson(response, 401, errorDocument(20003, 401));
    return true;
  }

  const double = await startUpstream<TwilioMessage>(
    {
      accepted: twilio.accepted,
      isAuthorized: (user) => isAccount(user) || isApiKey(user),
      unauthorizedBody: errorDocument(20003, 401),
      answerOther,
      readSend: (request) => readSend(request, `${path()}/Messages.json`),
      invalidBody: (message) => ({ ...errorDocument(20001, 400), message }),
    },
    port,
  );
  const upstream: TwilioUpstream = Object.assign(double, {
    accountSid,
    authToken,
    apiKeys: new Map<string, string>(),
    restrictedKeys: new Set<string>(),
    account: (response: ServerResponse) => replyJson(response, 200, { messages: [] }),
    callbackOrigin: undefined,
    sendStatus: (sid: string, status: string, errorCode?: number, options?: StatusOptions) =>
      sendStatus(upstream, sid, status, errorCode, options),
  });
  return upstream;
}
