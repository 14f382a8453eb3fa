import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server, and is the network's trouble when a test wants it. */
export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** From now on what the server says is kept back. */
  stall(): void;
  /** What was kept back is let through, and all that comes. */
  flow(): void;
  /** Cuts every connection that there is. */
  cut(): void;
  /** Resolves when the server has said something that is kept back. */
  answered(): Promise<void>;
}

export async function startTcpProxy(to: number): Promise<TcpProxy> {
  const clients = new Set<Socket>();
  let stalled = false;
  let answered = Promise.withResolvers<void>();
  const kept: (() => void)[] = [];

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect(to, '127.0.0.1');
    clients.add(client);
    client.on('data', (data) => upstream.write(data));
    client.on('end', () => {
      if (!stalled) client.destroy(); // else its goodbye is not answered either
    });
    upstream.on('data', (data) => {
      if (!stalled) client.write(data);
      else {
        kept.push(() => client.write(data));
        answered.resolve();
      }
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        clients.delete(client);
        other.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      stalled = true;
      answered = Promise.withResolvers();
    },
    flow() {
      stalled = false;
      for (const send of kept.splice(0)) send();
    },
    cut() {
      for (const client of clients) client.destroy();
    },
    answered: () => answered.promise,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await once(server.close(), 'close');
    },
  };
}
