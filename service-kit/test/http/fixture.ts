import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { expect, onTestFinished } from 'vitest';
import { requireKnownProblems } from '../../../test/known-problems.ts';
import { httpProblems } from '../../src/http/http-problems.ts';
import { problemContentType, problemSchema } from '../../src/http/problem.ts';
import { buildServer, type ServerOptions } from '../../src/http/server.ts';
import type { Server } from '../../src/http/types.ts';

export async function buildTestServer(options: Partial<ServerOptions> = {}) {
  const lines: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const server = await buildServer({
    title: 'Test service',
    greeting: 'Servicio de prueba',
    description: 'Of a test.',
    version: '1.2.3',
    credentials: [],
    deadlineMs: 3000,
    logger,
    ...options,
  });
  requireKnownProblems(server, options.problems ?? httpProblems);
  onTestFinished(() => server.close());
  return { server, lines };
}

/** Listens, and opens a raw connection to the server. */
export async function connectTo(server: Server): Promise<Socket> {
  if (!server.server.listening) await server.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes, a character for each, and returns all that comes back until the server closes the connection. */
export async function exchange(server: Server, bytes: string): Promise<string> {
  const socket = await connectTo(server);
  socket.write(bytes, 'latin1');
  return await text(socket);
}

/** The parts of one response that is a problem document. */
export function readProblem(response: string) {
  const [head = '', body = ''] = response.split('\r\n\r\n');
  const [statusLine = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  );
  expect(headers).toMatchObject({
    'content-type': problemContentType,
    'content-length': String(Buffer.byteLength(body)),
  });
  const problem = problemSchema.parse(JSON.parse(body));
  expect(statusLine).toMatch(new RegExp(`^HTTP/1\\.1 ${problem.status} \\w`));
  return { ...problem, headers };
}
