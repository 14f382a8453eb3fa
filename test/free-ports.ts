import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

// Below where Linux takes the local ports of outgoing connections from: one of those could come in between.
const lowest = 20_000;
const highest = 32_000;

/** Ports that nobody listens on now, and that nobody is given by chance. */
export async function freePorts(count: number): Promise<number[]> {
  const taken = new Map<number, Server>();
  while (taken.size < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false);
    if (isFree) taken.set(port, server);
  }
  await Promise.all([...taken.values()].map((server) => once(server.close(), 'close')));
  return [...taken.keys()];
}
