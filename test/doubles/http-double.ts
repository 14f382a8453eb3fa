import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

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
    if (body === undefined) return; // cut by the client
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

/** The user and the password of HTTP Basic; undefined without it. */
export function basicUser({ headers }: ReceivedRequest): string | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(headers.authorization ?? '') ?? [];
  return encoded && Buffer.from(encoded, 'base64').toString();
}

/** The names that are missing, unknown or there twice. */
export function wrongNames(names: string[], required: string[], optional: string[] = []): string[] {
  return [
    ...required.filter((name) => !names.includes(name)).map((name) => `${name} is missing`),
    ...names.filter((name) => ![...required, ...optional].includes(name)).map((name) => `${name} is unknown`),
    ...names.filter((name, at) => names.indexOf(name) !== at).map((name) => `${name} comes twice`),
  ];
}
