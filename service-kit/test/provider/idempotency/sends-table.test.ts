import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { expect, inject, test } from 'vitest';
import { createDatabase } from '../../../../test/postgres-server.ts';
import { openSendsTable } from '../../../src/provider/idempotency/sends-table.ts';

test('given a database that is not there, the log has one line with the setting and the remedy', async () => {
  const lines: string[] = [];
  const log = createLogger({}, { write: (line) => void lines.push(line) });
  const table = openSendsTable('Aldeamo', 'postgres://payments:sekret@127.0.0.1:1/sends', log);
  await expect(table.ready()).rejects.toThrow('ECONNREFUSED');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'the idempotency store cannot be opened; nothing is sent until it can: no PostgreSQL listens at 127.0.0.1:1: start it, or correct SENDS_DATABASE_URL',
  ]);
});

test('given a database that is for a later release, nothing is sent, and the log says why', async () => {
  const url = await createDatabase(inject('postgresPort'));
  const lines: string[] = [];
  const log = createLogger({}, { write: (line) => void lines.push(line) });
  const first = openSendsTable('Aldeamo', url, log);
  await first.ready();
  await first.close();
  const client = new pg.Client(url);
  await client.connect();
  await client.query('UPDATE schema_versions SET runs_beside = 9');
  await client.end();
  const table = openSendsTable('Aldeamo', url, log);
  const reason =
    'this release has schema version 1 of provider-services, and the database is for 9 or higher: start a newer release';
  await expect(table.begin({ key: '1', digest: '' })).rejects.toThrow(reason);
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    `the idempotency store cannot be opened; nothing is sent until it can: ${reason}`,
  ]);
});
