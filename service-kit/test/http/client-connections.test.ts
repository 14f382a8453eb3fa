import { once } from 'node:events';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createConnections } from '../../src/http/client-connections.ts';

test('a connection is counted until it is closed, and not again when a response comes later', async () => {
  const connections = createConnections();
  const socket = new Socket();
  const connection = connections.of(socket);
  expect(connections.of(socket)).toBe(connection);
  expect([...connections.all()]).toEqual([connection]);
  socket.destroy();
  await once(socket, 'close');
  expect(connections.count()).toBe(0);
  connections.of(socket);
  expect(connections.count()).toBe(0);
});
