import type { ServerResponse } from 'node:http';
import { type AldeamoMessage, readSend } from './aldeamo-request.ts';
import { replyJson } from './http-double.ts';
import {
  acceptedWith,
  startUpstream,
  type Upstream,
  type UpstreamAnswer,
  upstreamAnswers,
} from './upstream.ts';

type AldeamoAnswer = UpstreamAnswer<AldeamoMessage>;

const entryOf = (
  { to, transactionId, correlationLabel }: AldeamoMessage,
  status: number,
  reason: string,
) => ({
  mobile: to,
  transactionId,
  status,
  reason,
  correlationLabel,
});

/** The answers of Aldeamo to a send. */
export const aldeamo = {
  ...upstreamAnswers<AldeamoMessage>(({ accept, reply }) =>
    reply(200, {
      status: 1,
      reason: 'OK',
      result: { receivedRequests: [entryOf(accept(), 1, 'Recibido')], failedRequests: [] },
    }),
  ),
  /** This one message is refused, in free text. */
  refused:
    (reason: string): AldeamoAnswer =>
    ({ message, reply }) =>
      reply(200, {
        status: 1,
        reason: 'OK',
        result: { receivedRequests: [], failedRequests: [entryOf(message, -1, reason)] },
      }),
  /** The whole request is refused: a negative status and no entries. */
  error:
    (status: number, reason: string): AldeamoAnswer =>
    ({ reply }) =>
      reply(200, { status, reason }),
  unauthorized: (({ reply }) => reply(401, 'Unauthorized')) as AldeamoAnswer,
  forbidden: (({ reply }) => reply(403, 'Forbidden')) as AldeamoAnswer,
  throttled:
    (retryAfter?: string): AldeamoAnswer =>
    ({ reply }) =>
      reply(429, 'Too Many Requests', retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  /** Accepted, with an unreadable answer. */
  garbage: acceptedWith<AldeamoMessage>(200, '{"status": 1, "res'),
  empty: acceptedWith<AldeamoMessage>(200, ''),
};

export interface AldeamoUpstream extends Upstream<AldeamoMessage> {
  /** The credentials; they can be changed at any time. */
  username: string;
  password: string;
  /** How the front page answers an authorized request. */
  front: (response: ServerResponse) => unknown;
}

/** Aldeamo's API. */
export async function startAldeamoUpstream({
  username = 'pagos',
  password = 's3creta',
  port = 0,
} = {}): Promise<AldeamoUpstream> {
  const double = await startUpstream<AldeamoMessage>(
    {
      accepted: aldeamo.accepted,
      isAuthorized: (user) => user === `${upstream.username}:${upstream.password}`,
      unauthorizedBody: 'Unauthorized',
      answerOther({ method, path }, response) {
        const isFront = method === 'GET' && path === '/';
        if (isFront) upstream.front(response);
        return isFront;
      },
      readSend: (request, number) => readSend(request, 9_000_000 + number),
      invalidBody: (reason) => ({ status: -400, reason }),
    },
    port,
  );
  const front = (response: ServerResponse) => replyJson(response, 404, { status: 404 });
  const upstream: AldeamoUpstream = Object.assign(double, { username, password, front });
  return upstream;
}
