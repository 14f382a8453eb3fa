import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Certificate } from './certificates.ts';

interface ConnectRequest {
  socket: Duplex;
  /** Opens the tunnel. Every host is this machine. */
  open(): void;
  /** Resets every connection, because one within TLS cannot be reset. */
  reset(): void;
}

export interface ConnectProxy extends AsyncDisposable {
  url: string;
  /** What it was asked for with CONNECT: host and port, and the headers. */
  readonly tunnels: { authority: string; headers: IncomingHttpHeaders }[];
  /** The requests that were not CONNECT. */
  readonly others: string[];
  /** How it answers CONNECT from now on. */
  answer(how: (request: ConnectRequest) => unknown): void;
  /** Resets every connection. */
  cut(): void;
  /** How many connections are open now. */
  open(): Promise<number>;
}

/** The answers of a proxy. */
export const proxyAnswers = {
  open: ({ open }: ConnectRequest) => open(),
  status:
    (status: number, rest = '') =>
    ({ socket }: ConnectRequest) =>
      socket.end(`HTTP/1.1 ${status} Odd\r\n\r\n${rest}`),
  raw:
    (text: string) =>
    ({ socket }: ConnectRequest) =>
      socket.write(text),
  silence: () => {},
  hangUp: ({ socket }: ConnectRequest) => socket.end(),
  reset: ({ reset }: ConnectRequest) => reset(),
};

/** An HTTP proxy for tunnels, with a certificate one that speaks TLS. */
export async function startConnectProxy(certificate?: Certificate): Promise<ConnectProxy> {
  const sockets = new Set<Socket>();
  const tunnels: ConnectProxy['tunnels'] = [];
  const others: string[] = [];
  let answer: (request: ConnectRequest) => unknown = proxyAnswers.open;

  const server: Server = certificate ? createTlsServer(certificate) : createServer();
  const reset = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.on('request', ({ method, url }, response) => {
    others.push(`${method} ${url}`);
    response.writeHead(400).end();
  });
  server.on('connect', ({ url: authority = '', headers }, socket) => {
    tunnels.push({ authority, headers });
    socket.on('error', () => {});
    const open = () => {
      const upstream = connect(Number(authority.split(':').at(-1)), '127.0.0.1');
      upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    };
    socket.on('end', () => socket.end()).resume(); // its end is not seen otherwise
    answer({ socket, open, reset });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`,
    tunnels,
    others,
    answer(how) {
      answer = how;
    },
    cut: reset,
    open: async () => sockets.size,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
