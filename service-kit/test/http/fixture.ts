import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
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
    logger,
    ...options,
  });
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
