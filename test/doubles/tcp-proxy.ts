import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy between a client and a server that injects network faults. */
export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** Connects to the server on this port from now on. Open connections stay, as they do when the address of a name changes. */
  moveTo(port: number): void;
  /** Withholds the server's data from now on. */
  stall(): void;
  /** Passes on the withheld data, and all later data. */
  flow(): void;
  /** Cuts every open connection. */
  cut(): void;
  /** Drops what comes on every open connection, in silence: no FIN and no RST, as a firewall does that lost its state. */
  swallow(): void;
  /** Resolves when data of the server is withheld. */
  answered(): Promise<void>;
}

export async function startTcpProxy(to: number): Promise<TcpProxy> {
  const clients = new Set<Socket>();
  const swallowed = new Set<Socket>();
  let target = to;
  let stalled = false;
  let answered = Promise.withResolvers<void>();
  const withheld: (() => void)[] = [];

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect(target, '127.0.0.1');
    clients.add(client);
    client.on('data', (data) => {
      if (!swallowed.has(client)) upstream.write(data);
    });
    client.on('end', () => {
      if (!stalled) client.destroy(); // its FIN is not answered while stalled
    });
    upstream.on('data', (data) => {
      if (swallowed.has(client)) return;
      if (!stalled) client.write(data);
      else {
        withheld.push(() => client.write(data));
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
        if (one === client || !swallowed.has(client)) other.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    moveTo(port) {
      target = port;
    },
    stall() {
      stalled = true;
      answered = Promise.withResolvers();
    },
    flow() {
      stalled = false;
      for (const send of withheld.splice(0)) send();
    },
    cut() {
      for (const client of clients) client.destroy();
    },
    swallow() {
      for (const client of clients) swallowed.add(client);
    },
    answered: () => answered.promise,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await once(server.close(), 'close');
    },
  };
}
