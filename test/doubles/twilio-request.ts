import { randomBytes } from 'node:crypto';
import { type ReceivedRequest, wrongNames } from './http-double.ts';

export interface TwilioMessage {
  sid: string;
  to: string;
  text: string;
  from: string | null;
  messagingServiceSid: string | null;
  statusCallback: string | null;
  /** In seconds. */
  validityPeriod: number | null;
}

/** What is wrong with the headers of any request. */
export const wrongHeaders = ({ headers }: ReceivedRequest): string[] =>
  ['accept', 'user-agent'].filter((name) => !headers[name]).map((name) => `${name} is missing`);

/** Reads a send, or everything that is wrong with it. */
export function readSend(
  request: ReceivedRequest,
  sendPath: string,
): { message?: TwilioMessage; wrong: string[] } {
  const { method, path, headers, body } = request;
  const wrong = wrongHeaders(request);
  const check = (right: boolean, what: string) => right || wrong.push(what);
  check(method === 'POST' && path === sendPath, `${method} ${path} is unknown`);
  check(
    /^application\/x-www-form-urlencoded(; ?charset=utf-8)?$/i.test(headers['content-type'] ?? ''),
    `content-type is ${headers['content-type']}`,
  );
  const form = new URLSearchParams(body);
  wrong.push(
    ...wrongNames(
      [...form.keys()],
      ['To', 'Body'],
      ['From', 'MessagingServiceSid', 'StatusCallback', 'ValidityPeriod'],
    ),
  );
  const text = form.get('Body') ?? '';
  const from = form.get('From');
  const messagingServiceSid = form.get('MessagingServiceSid');
  const statusCallback = form.get('StatusCallback');
  const validityPeriod = form.get('ValidityPeriod');
  check(/^\+[1-9]\d{6,14}$/.test(form.get('To') ?? ''), 'To is no E.164 number');
  check(text.length >= 1 && text.length <= 1600, 'Body has not 1 to 1600 characters');
  check((from === null) !== (messagingServiceSid === null), 'not one of From and MessagingServiceSid');
  check(from === null || from !== '', 'From is empty');
  check(messagingServiceSid === null || /^MG\w+$/.test(messagingServiceSid), 'MessagingServiceSid is wrong');
  check(statusCallback === null || URL.canParse(statusCallback), 'StatusCallback is no URL');
  check(
    !/#./.test(statusCallback ?? '') || overrides.test(statusCallback ?? ''),
    'StatusCallback has wrong overrides',
  );
  check(validityPeriod === null || isValidityPeriod(validityPeriod), 'ValidityPeriod is not 1 to 36000');
  if (wrong.length > 0) return { wrong };
  const sid = `SM${randomBytes(16).toString('hex')}`;
  return {
    wrong,
    message: {
      sid,
      to: form.get('To') ?? '',
      text,
      from,
      messagingServiceSid,
      statusCallback,
      validityPeriod: validityPeriod === null ? null : Number(validityPeriod),
    },
  };
}

/** https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides */
const overrides = /#rc=[0-5]&rp=(all|4xx|5xx|ct|rt)(,(4xx|5xx|ct|rt))*$/;

const isValidityPeriod = (text: string) =>
  /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 36_000;
