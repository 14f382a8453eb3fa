import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Certificate } from './certificates.ts';

/** What speaks TLS in front of a server of this machine. */
export async function startTlsFront(url: string, certificate: Certificate) {
  const sockets = new Set<TLSSocket>();
  const server = createServer(certificate, (socket) => {
    const behind = connect(Number(new URL(url).port), '127.0.0.1');
    sockets.add(socket);
    socket
      .on('error', () => {})
      .on('close', () => {
        sockets.delete(socket);
        behind.destroy();
      });
    behind.on('error', () => {}).on('close', () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  }).on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
