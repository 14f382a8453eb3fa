import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import {
  type Certificate,
  createTestAuthority,
  type TestAuthority,
} from '../../../test/doubles/certificates.ts';
import { outcomeOfStatus } from '../../src/client/answer.ts';
import type { ConnectLog } from '../../src/client/connect-log.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../../src/client/http-client.ts';

/** The authority of this file's tests; the process trusts it while they run. */
export function trustedAuthority(): { issue: TestAuthority['issue']; certificate(): Certificate } {
  let authority: TestAuthority;
  let certificate: Certificate;
  const before = getCACertificates('default');
  beforeAll(() => {
    authority = createTestAuthority();
    certificate = authority.issue();
    setDefaultCACertificates([...before, authority.ca]);
  });
  afterAll(() => {
    setDefaultCACertificates(before);
    authority[Symbol.dispose]();
  });
  return { issue: (options) => authority.issue(options), certificate: () => certificate };
}

export interface TlsService {
  url: string;
  port: number;
  /** The paths of its requests. */
  received: string[];
  headers: IncomingHttpHeaders[];
  opened(): number;
  open(): number;
}

/** An https service that answers `/`, half of it `/half-200` and `/half-403`, and never `/silence`. */
export async function serveTls(certificate: Certificate): Promise<TlsService> {
  const received: string[] = [];
  const seen: IncomingHttpHeaders[] = [];
  const sockets = new Set<Socket>();
  let opened = 0;
  const server = createServer(certificate, ({ url = '', headers }, response) => {
    received.push(url);
    seen.push(headers);
    if (url === '/') response.end('{}');
    if (url === '/half-200') response.writeHead(200, { 'content-length': 500 }).write('{');
    if (url === '/half-403') response.writeHead(403, { 'content-length': 500 }).write('{');
  });
  server.on('connection', (socket: Socket) => {
    opened += 1;
    sockets.add(socket.on('close', () => sockets.delete(socket)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    port,
    received,
    headers: seen,
    opened: () => opened,
    open: () => sockets.size,
  };
}

export interface LoggingClient {
  client: HttpClient;
  lines: { fields: Record<string, unknown>; text: string }[];
  send(path?: string): ReturnType<HttpClient['send']>;
}

export function clientOf(options: Partial<HttpClientOptions> & { url: string }): LoggingClient {
  const lines: LoggingClient['lines'] = [];
  const log = { error: (fields: never, text: never) => void lines.push({ fields, text }) };
  const client = createHttpClient({
    timeoutMs: 10_000,
    maxConcurrency: 4,
    log: log as unknown as ConnectLog,
    ...options,
  });
  onTestFinished(() => client.close());
  return {
    client,
    lines,
    send: (path = '/') =>
      client.send({ method: 'POST', path, body: '{}' }, (answer) =>
        answer.status < 300
          ? { outcome: 'accepted', message_id: String(answer.status) }
          : outcomeOfStatus(answer),
      ),
  };
}
