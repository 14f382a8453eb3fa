import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { expect, inject, onTestFinished, test } from 'vitest';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { eventually } from '../../../test/eventually.ts';
import { createDatabase } from '../../../test/postgres-server.ts';
import { replicaChannelOf } from '../../src/live/replica-channel.ts';

test('given a connection that the network has lost without a word, the channel listens again on a new one', {
  timeout: 40_000,
}, async () => {
  const direct = await createDatabase(inject('postgresPort'));
  const url = new URL(direct);
  const proxy = await startTcpProxy(Number(url.port));
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  url.port = String(proxy.port);
  const received: string[] = [];
  const open = await replicaChannelOf(url.href, createLogger({ level: 'silent' }));
  const channel = open?.((text) => received.push(text));
  onTestFinished(() => channel?.close());
  const other = new pg.Client(direct);
  await other.connect();
  onTestFinished(() => other.end());

  const isReceived = (text: string) =>
    eventually(
      async () => {
        await Promise.all([
          other.query('SELECT pg_notify($1, $2)', ['payment_service', text]),
          channel?.publish('heartbeat').catch(() => {}),
        ]);
        return received;
      },
      (texts) => texts.includes(text),
      15_000,
      200,
    );
  await isReceived('before');
  proxy.swallow();
  expect(await isReceived('after')).toContain('after');
});
