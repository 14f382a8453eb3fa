import { setTimeout as delay } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { createDatabase as createTestDatabase } from '../../../test/postgres-server.ts';
import { createLogger } from '../../src/http/start.ts';
import { createDatabase } from '../../src/postgres/database.ts';

const log = createLogger({ level: 'silent' });

async function openThroughProxy() {
  const url = new URL(await createTestDatabase(inject('postgresPort')));
  const proxy = await startTcpProxy(Number(url.port));
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  url.port = String(proxy.port);
  const database = createDatabase(url.href, log);
  const query = (text = 'SELECT 1') => database.query({ text });
  return { proxy, database, query };
}

test('given idle connections that the network has lost without a word, one statement finds out, and the next ones take new connections', {
  timeout: 30_000,
}, async () => {
  const { proxy, database, query } = await openThroughProxy();
  const queryAll = () => Promise.all(Array.from({ length: 8 }, () => query()));
  await Promise.all(Array.from({ length: 8 }, () => query('SELECT pg_sleep(0.2)')));
  proxy.swallow();
  await expect(query()).rejects.toThrow('did not answer in time');
  const from = performance.now();
  await queryAll();
  expect(performance.now() - from).toBeLessThan(3000); // less than a statement waits for a lost connection
  await database.close();
});

test('given a pool that is replaced, a statement that runs ends on its own connection', {
  timeout: 30_000,
}, async () => {
  const { proxy, database, query } = await openThroughProxy();
  await query();
  proxy.swallow();
  const lost = expect(query()).rejects.toThrow('did not answer in time');
  await delay(2000);
  const running = query('SELECT pg_sleep(2.5)');
  await lost;
  const [after] = await Promise.all([query('SELECT 2 AS two'), running]);
  expect(after).toEqual([{ two: 2 }]);
  await database.close();
});
