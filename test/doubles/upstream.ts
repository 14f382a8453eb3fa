import type { ServerResponse } from 'node:http';
import { noteSecrets } from '../leaks.ts';
import { basicUser, type HttpDouble, type ReceivedRequest, replyJson, serveDouble } from './http-double.ts';

/** A send that is as the API wants it. */
interface Exchange<Message> {
  message: Message;
  response: ServerResponse;
  /** Adds the message to the ledger: it is sent then, even if the client gets no answer. */
  accept(): Message;
  /** Answers with JSON. */
  reply(status: number, body: unknown, headers?: Record<string, string>): void;
}

/** How an upstream answers a send. */
export type UpstreamAnswer<Message> = (exchange: Exchange<Message>) => unknown;

export const acceptedWith =
  <Message>(status: number, body: string): UpstreamAnswer<Message> =>
  ({ accept, reply }) => {
    accept();
    reply(status, body);
  };

/** The answers and faults of any upstream. `accepted` is the API's own. */
export const upstreamAnswers = <Message>(accepted: UpstreamAnswer<Message>) => ({
  accepted,
  http:
    (status: number, body: unknown = '', headers: Record<string, string> = {}): UpstreamAnswer<Message> =>
    ({ reply }) =>
      reply(status, body, headers),
  /** Not accepted, never answered. */
  silence: (() => {}) as UpstreamAnswer<Message>,
  /** Accepted, never answered. */
  silenceAfter: (({ accept }) => accept()) as UpstreamAnswer<Message>,
  /** Not accepted, and the connection is cut. */
  cutBefore: (({ response }) => response.socket?.resetAndDestroy()) as UpstreamAnswer<Message>,
  /** Accepted, and the connection is cut. */
  cutAfter: (({ accept, response }) => {
    accept();
    response.socket?.resetAndDestroy();
  }) as UpstreamAnswer<Message>,
});

export interface Upstream<Message> extends HttpDouble {
  /** What was wrong with its requests. A correct client leaves it empty. */
  readonly violations: string[];
  /** The accepted messages, in order. */
  readonly ledger: Message[];
  /** The number of sends, accepted or not. */
  readonly sends: number;
  /** How sends to a phone (E.164) are answered from now on. */
  readonly answers: Map<string, UpstreamAnswer<Message>>;
  /** How the next send is answered; several are used up in order. */
  answerNext(answer: UpstreamAnswer<Message>): void;
  /** How all other sends are answered from now on. */
  answerAll(answer: UpstreamAnswer<Message>): void;
}

/** What differs between two upstreams. */
interface UpstreamApi<Message> {
  accepted: UpstreamAnswer<Message>;
  /** Whether the user and password of HTTP Basic are right. */
  isAuthorized(user: string | undefined): boolean;
  unauthorizedBody: unknown;
  /** A POST that sends nothing. */
  isReport?(request: ReceivedRequest): boolean;
  /** Answers an authorized request that is not a send, and returns whether it was one. */
  answerOther(request: ReceivedRequest, response: ServerResponse): boolean;
  /** Reads the send of that number, or everything that is wrong with it. */
  readSend(request: ReceivedRequest, number: number): { message?: Message; wrong: string[] };
  invalidBody(wrong: string): unknown;
}

/** Speaks an SMS provider's API, strictly. */
export async function startUpstream<Message extends { to: string; text: string }>(
  api: UpstreamApi<Message>,
  port: number,
): Promise<Upstream<Message>> {
  const violations: string[] = [];
  const ledger: Message[] = [];
  const answers = new Map<string, UpstreamAnswer<Message>>();
  const next: UpstreamAnswer<Message>[] = [];
  let otherwise = api.accepted;
  let sends = 0;

  function handle(request: ReceivedRequest, response: ServerResponse): unknown {
    const user = basicUser(request);
    if (user === undefined) violations.push(`${request.method} ${request.path}: no Basic authorization`);
    if (request.method === 'POST' && !api.isReport?.(request)) sends += 1;
    if (!api.isAuthorized(user)) return replyJson(response, 401, api.unauthorizedBody);
    if (api.answerOther(request, response)) return;
    const { message, wrong } = api.readSend(request, sends);
    if (!message) {
      violations.push(...wrong);
      return replyJson(response, 400, api.invalidBody(wrong.join(', ')));
    }
    noteSecrets({ message: message.text, phone: message.to });
    const answer = next.shift() ?? answers.get(message.to) ?? otherwise;
    return answer({
      message,
      response,
      accept: () => {
        ledger.push(message);
        return message;
      },
      reply: (status, body, headers) => replyJson(response, status, body, headers),
    });
  }

  return {
    ...(await serveDouble(handle, port)),
    violations,
    ledger,
    get sends() {
      return sends;
    },
    answers,
    answerNext: (answer) => next.push(answer),
    answerAll: (answer) => {
      otherwise = answer;
    },
  };
}
