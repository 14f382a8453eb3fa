import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

/** A send that came in, and was found to be as the API wants it. */
export interface Exchange<Message> {
  /** What it asked to send. */
  message: Message;
  response: ServerResponse;
  /** Puts it into the ledger; it is then sent, whatever the caller is told. */
  accept(): Message;
  /** Answers with JSON. */
  reply(status: number, body: unknown, headers?: Record<string, string>): void;
}

/** What an upstream does with a send. */
export type Answer<Message> = (exchange: Exchange<Message>) => unknown;

/** What can befall a send at any upstream. `accepted` is the API's own way to say yes. */
export const faults = <Message>(accepted: Answer<Message>) => ({
  accepted,
  http:
    (status: number, body: unknown = '', headers: Record<string, string> = {}): Answer<Message> =>
    ({ reply }) =>
      reply(status, body, headers),
  /** Not accepted, never answered. */
  silence: (() => {}) as Answer<Message>,
  /** Accepted, never answered. */
  silenceAfter: (({ accept }) => accept()) as Answer<Message>,
  /** Not accepted, and the connection is cut. */
  cutBefore: (({ response }) => response.socket?.resetAndDestroy()) as Answer<Message>,
  /** Accepted, and the connection is cut. */
  cutAfter: (({ accept, response }) => {
    accept();
    response.socket?.resetAndDestroy();
  }) as Answer<Message>,
});

/** How the next sends are answered: once by the first of `next`, else by recipient, else by `otherwise`. */
export class Answers<Message> {
  readonly byPhone = new Map<string, Answer<Message>>();
  readonly next: Answer<Message>[] = [];
  otherwise: Answer<Message>;

  constructor(otherwise: Answer<Message>) {
    this.otherwise = otherwise;
  }

  for(phone: string): Answer<Message> {
    return this.next.shift() ?? this.byPhone.get(phone) ?? this.otherwise;
  }
}

export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface HttpDouble extends AsyncDisposable {
  url: string;
  /** How many connections are open now. */
  connections(): Promise<number>;
}

/** A real HTTP server on a free port of 127.0.0.1. */
export async function serveDouble(
  handle: (request: ReceivedRequest, response: ServerResponse) => unknown,
  port = 0,
): Promise<HttpDouble> {
  const server = createServer(async (incoming, response) => {
    const body = await text(incoming).catch(() => undefined);
    if (body === undefined) return; // cut by the caller
    const { method = '', url: path = '', headers } = incoming;
    handle({ method, path, headers, body }, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: promisify(server.getConnections.bind(server)),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export function replyJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(payload);
}

/** Who HTTP Basic says is calling; undefined without it. */
export function basicUser({ headers }: ReceivedRequest): string | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(headers.authorization ?? '') ?? [];
  return encoded && Buffer.from(encoded, 'base64').toString();
}

/** What is wrong with the names in an object: those that are missing, and those that nobody knows. */
export function wrongNames(names: string[], required: string[], optional: string[] = []): string[] {
  return [
    ...required.filter((name) => !names.includes(name)).map((name) => `${name} is missing`),
    ...names.filter((name) => ![...required, ...optional].includes(name)).map((name) => `${name} is unknown`),
    ...names.filter((name, at) => names.indexOf(name) !== at).map((name) => `${name} comes twice`),
  ];
}
