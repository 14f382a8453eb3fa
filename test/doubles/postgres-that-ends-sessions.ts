import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

interface EndingPostgres extends AsyncDisposable {
  url: string;
  /** The number of sessions that it has opened and ended. */
  sessions(): number;
}

const message = (type: string, body: Buffer | string = '') => {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(4 + Buffer.byteLength(body), 1);
  return Buffer.concat([header, Buffer.from(body)]);
};
const authenticationOk = message('R', Buffer.alloc(4));
const readyForQuery = message('Z', 'I');
const terminated = message(
  'E',
  'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0',
);

/** A server that ends each session in the same segment with which it opens it, as `pg_terminate_backend` may. */
export async function startPostgresThatEndsSessions(): Promise<EndingPostgres> {
  const sockets = new Set<Socket>();
  let sessions = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => {
      sessions += 1;
      socket.end(Buffer.concat([authenticationOk, readyForQuery, terminated]));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `postgres://any:any@127.0.0.1:${(server.address() as AddressInfo).port}/any`,
    sessions: () => sessions,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  };
}
