import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';

/** The endpoint of a merchant, in a process of its own: it answers 204, or closes each connection while it is dead. */

let isDead = false;
let taken = 0;

const server = createServer((request, response) => {
  if (isDead) return void response.destroy();
  request.resume().once('end', () => {
    taken += 1;
    response.writeHead(204).end();
  });
});

process.on('message', (order: { isDead: boolean } | 'count') => {
  if (order === 'count') return void process.send?.(taken);
  isDead = order.isDead;
  process.send?.(taken);
});

server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`);
