import type { ServerResponse } from 'node:http';
import { basicUser, type ReceivedRequest, replyJson } from './http-double.ts';
import { type CallbackOptions, type StatusOptions, sendInbound, sendStatus } from './twilio-callback.ts';
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

const messagePath = /\/Messages\/(\w+)\.json$/;

/** A time as Twilio's documents have it. */
const rfc2822 = () => new Date().toUTCString().replace('GMT', '+0000');

export interface TwilioUpstream extends Upstream<TwilioMessage> {
  accountSid: string;
  authToken: string;
  /** API keys with their secrets, which are authorized beside the account. */
  readonly apiKeys: Map<string, string>;
  /** Those of the API keys that may create messages, and not list them. */
  readonly restrictedKeys: Set<string>;
  /** How an authorized `GET …/Messages/{Sid}.json` is answered instead of with the message. */
  message: ((response: ServerResponse) => unknown) | undefined;
  /** How an authorized `GET …/Messages.json?PageSize=1` is answered, and `GET …/Accounts/{Sid}.json` of the account itself. */
  account: (response: ServerResponse) => unknown;
  /** The webhook that is configured for SMS to the number. */
  inboundUrl: string;
  /** Where callbacks go instead of the origin they are for, as through a proxy. */
  callbackOrigin: string | undefined;
  /** Sets what a message in the ledger is from now on. */
  setStatus(sid: string, status: string, errorCode?: number): void;
  /** Sets the status, sends a callback for it, and returns the status of its answer. */
  sendStatus(sid: string, status: string, errorCode?: number, options?: StatusOptions): Promise<number>;
  /** Sends an SMS of a recipient to the inbound webhook, and returns the answer. */
  sendInbound(
    form: Record<string, string>,
    options?: CallbackOptions,
  ): Promise<{ status: number; type: string | undefined; body: string }>;
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
  const statuses = new Map<string, { status: string; errorCode: number | null; at: string }>();
  const isRestricted = (user = '') => upstream.restrictedKeys.has(user.split(':')[0] ?? '');

  function replyMessage(response: ServerResponse, sid: string): void {
    const message = double.ledger.find((sent) => sent.sid === sid);
    const { status, errorCode, at } = statuses.get(sid) ?? {
      status: 'queued',
      errorCode: null,
      at: rfc2822(),
    };
    if (!message) replyJson(response, 404, errorDocument(20404, 404));
    else replyJson(response, 200, { ...made(message, status, errorCode), date_sent: at, date_updated: at });
  }

  function answerMessages(request: ReceivedRequest, response: ServerResponse): boolean {
    const isList = request.path === `${path()}/Messages.json?PageSize=1`;
    const sid = request.path.startsWith(path()) && messagePath.exec(request.path)?.[1];
    if (!isList && !sid) return false;
    if (isRestricted(basicUser(request))) replyJson(response, 403, errorDocument(70051, 403));
    else if (!sid) upstream.account(response);
    else if (upstream.message) upstream.message(response);
    else replyMessage(response, sid);
    return true;
  }

  function answerOther(request: ReceivedRequest, response: ServerResponse): boolean {
    if (request.method !== 'GET') return false;
    double.violations.push(...wrongHeaders(request));
    if (answerMessages(request, response)) return true;
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
    inboundUrl: '',
    callbackOrigin: undefined,
    message: undefined,
    setStatus(sid: string, status: string, errorCode?: number) {
      statuses.set(sid, { status, errorCode: errorCode ?? null, at: rfc2822() });
    },
    sendStatus(sid: string, status: string, errorCode?: number, options?: StatusOptions) {
      upstream.setStatus(sid, status, errorCode);
      return sendStatus(upstream, sid, status, errorCode, options);
    },
    sendInbound: (form: Record<string, string>, options?: CallbackOptions) =>
      sendInbound(upstream, form, options),
  });
  return upstream;
}
