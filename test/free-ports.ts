import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

// Below Linux's ephemeral ports, because an outgoing connection could be assigned a port before its test listens on it.
const lowest = 20_000;
const highest = 32_000;

/** Finds ports that no process listens on. */
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
