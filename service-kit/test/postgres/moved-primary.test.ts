import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { startPostgres } from '../../../test/postgres-server.ts';
import { createLogger } from '../../src/http/start.ts';
import { createDatabase } from '../../src/postgres/database.ts';

const connections = 8;

test('given a primary that became read-only while its address moved to another one, one statement finds out, and no later one is sent to it', {
  timeout: 30_000,
}, async () => {
  await using former = await startPostgres({ settings: { fsync: 'off' } });
  await using proxy = await startTcpProxy(former.port);
  const database = createDatabase(
    `postgres://payments:payments@127.0.0.1:${proxy.port}/postgres`,
    createLogger({ level: 'silent' }),
  );
  const portOf = async (text = 'SELECT inet_server_port() AS port') =>
    (await database.query<{ port: number }>({ text }))[0]?.port;
  const portsOfAll = () =>
    Promise.all(
      Array.from({ length: connections }, () => portOf('SELECT inet_server_port() AS port, pg_sleep(0.2)')),
    );
  expect(new Set(await portsOfAll())).toEqual(new Set([former.port]));

  const admin = new pg.Client(`postgres://payments:payments@127.0.0.1:${former.port}/postgres`);
  await admin.connect();
  await admin.query('ALTER SYSTEM SET default_transaction_read_only = on');
  await admin.query('SELECT pg_reload_conf()');
  await expect
    .poll(async () => (await admin.query('SHOW default_transaction_read_only')).rows)
    .toEqual([{ default_transaction_read_only: 'on' }]);
  await admin.end();
  proxy.moveTo(inject('postgresPort'));
  const write = () => database.query({ text: 'CREATE TABLE IF NOT EXISTS moved (id text)' });
  await expect(write()).rejects.toThrow('read-only transaction (25006)');
  expect(new Set(await portsOfAll())).toEqual(new Set([inject('postgresPort')]));
  await database.close();
});
