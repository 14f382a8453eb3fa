import { randomBytes } from 'node:crypto';
import { type ReceivedRequest, wrongNames } from './http-double.ts';

export interface TwilioMessage {
  sid: string;
  to: string;
  text: string;
  from: string | null;
  messagingServiceSid: string | null;
  statusCallback: string | null;
}

/** Reads a send, or everything that is wrong with it. */
export function readSend(
  { method, path, headers, body }: ReceivedRequest,
  sendPath: string,
): { message?: TwilioMessage; wrong: string[] } {
  const wrong: string[] = [];
  const check = (right: boolean, what: string) => right || wrong.push(what);
  check(method === 'POST' && path === sendPath, `${method} ${path} is unknown`);
  check(
    /^application\/x-www-form-urlencoded(; ?charset=utf-8)?$/i.test(headers['content-type'] ?? ''),
    `content-type is ${headers['content-type']}`,
  );
  const form = new URLSearchParams(body);
  wrong.push(
    ...wrongNames([...form.keys()], ['To', 'Body'], ['From', 'MessagingServiceSid', 'StatusCallback']),
  );
  const text = form.get('Body') ?? '';
  const from = form.get('From');
  const messagingServiceSid = form.get('MessagingServiceSid');
  const statusCallback = form.get('StatusCallback');
  check(/^\+[1-9]\d{6,14}$/.test(form.get('To') ?? ''), 'To is no E.164 number');
  check(text.length >= 1 && text.length <= 1600, 'Body has not 1 to 1600 characters');
  check((from === null) !== (messagingServiceSid === null), 'not one of From and MessagingServiceSid');
  check(from === null || from !== '', 'From is empty');
  check(messagingServiceSid === null || /^MG\w+$/.test(messagingServiceSid), 'MessagingServiceSid is wrong');
  check(statusCallback === null || URL.canParse(statusCallback), 'StatusCallback is no URL');
  if (wrong.length > 0) return { wrong };
  const sid = `SM${randomBytes(16).toString('hex')}`;
  return {
    wrong,
    message: { sid, to: form.get('To') ?? '', text, from, messagingServiceSid, statusCallback },
  };
}
