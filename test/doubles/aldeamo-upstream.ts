import type { ServerResponse } from 'node:http';
import { noteSecrets } from '../leaks.ts';
import { type AldeamoMessage, readSend } from './aldeamo-request.ts';
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

type AldeamoAnswer = Answer<AldeamoMessage>;

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

/** Every way in which Aldeamo can answer a send. */
export const aldeamo = {
  ...faults<AldeamoMessage>(({ accept, reply }) =>
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
  /** Accepted, and nobody can read that. */
  garbage: (({ accept, reply }) => {
    accept();
    reply(200, '{"status": 1, "res');
  }) as AldeamoAnswer,
  empty: (({ accept, reply }) => {
    accept();
    reply(200, '');
  }) as AldeamoAnswer,
};

export interface AldeamoUpstream extends HttpDouble {
  /** Who may send; can be changed on the way. */
  username: string;
  password: string;
  /** What it was sent that its API does not know, or what it missed. A correct client leaves it empty. */
  readonly violations: string[];
  /** What it has accepted, in order. */
  readonly ledger: AldeamoMessage[];
  /** How many sends came in, accepted or not. */
  readonly sends: number;
  /** How sends to a phone (E.164) are answered from now on. */
  readonly answers: Map<string, AldeamoAnswer>;
  /** How the next send is answered; several are used up in order. */
  answerNext(answer: AldeamoAnswer): void;
  /** How all others are answered from now on. */
  answerAll(answer: AldeamoAnswer): void;
  /** How the front page answers those who may send. */
  front: (response: ServerResponse) => unknown;
}

/** Speaks Aldeamo's API, strictly. */
export async function startAldeamoUpstream({
  username = 'pagos',
  password = 's3creta',
  port = 0,
} = {}): Promise<AldeamoUpstream> {
  const answers = new Answers<AldeamoMessage>(aldeamo.accepted);
  const violations: string[] = [];
  const ledger: AldeamoMessage[] = [];
  let sends = 0;

  function handle(request: ReceivedRequest, response: ServerResponse): unknown {
    const user = basicUser(request);
    if (user === undefined) violations.push(`${request.method} ${request.path}: no Basic authorization`);
    if (user !== `${upstream.username}:${upstream.password}`) {
      if (request.method === 'POST') sends += 1;
      return replyJson(response, 401, 'Unauthorized');
    }
    if (request.method === 'GET' && request.path === '/') return upstream.front(response);
    sends += 1;
    const { message, wrong } = readSend(request);
    if (!message) {
      violations.push(...wrong);
      return replyJson(response, 400, { status: -400, reason: wrong.join(', ') });
    }
    message.transactionId = 9_000_000 + sends;
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
  const upstream: AldeamoUpstream = {
    ...double,
    username,
    password,
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
    front: (response) => replyJson(response, 404, { status: 404 }),
  };
  return upstream;
}
