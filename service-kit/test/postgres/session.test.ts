import pg from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase as createTestDatabase } from '../../../test/postgres-server.ts';
import { createLogger } from '../../src/http/start.ts';
import { createDatabase, type Database } from '../../src/postgres/database.ts';
import { openSession } from '../../src/postgres/session.ts';

const log = createLogger({ level: 'silent' });

/** A database whose own defaults are these settings. */
async function openWith(settings: Record<string, string>): Promise<{ url: string; database: Database }> {
  const url = await createTestDatabase(inject('postgresPort'));
  const client = new pg.Client(url);
  await client.connect();
  for (const [name, value] of Object.entries(settings))
    await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET ${name} = '${value}'`);
  await client.end();
  const database = createDatabase(url, log);
  onTestFinished(() => database.close());
  return { url, database };
}

const show = async (database: Database, names: string[]) => {
  const rows = await database.query<{ name: string; value: string }>({
    text: 'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name',
    values: [names],
  });
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
};

test("the settings of a session are not the database's", async () => {
  const { database } = await openWith({
    DateStyle: 'SQL, DMY',
    TimeZone: 'America/Bogota',
    default_transaction_isolation: 'serializable',
    statement_timeout: '200ms',
    lock_timeout: '200ms',
    idle_session_timeout: '1s',
    transaction_timeout: '200ms',
    synchronous_commit: 'off',
    array_nulls: 'off',
    extra_float_digits: '-15',
  });
  const expected = {
    DateStyle: 'ISO, MDY',
    TimeZone: 'UTC',
    transaction_isolation: 'read committed',
    statement_timeout: '3s',
    lock_timeout: '0',
    idle_session_timeout: '0',
    transaction_timeout: '0',
    synchronous_commit: 'on',
    array_nulls: 'on',
    extra_float_digits: '1',
  };
  expect(await show(database, Object.keys(expected))).toEqual(expected);
});

test.each([
  'local',
  'remote_apply',
])('a synchronous_commit of %s, which is durable, is left alone', async (value) => {
  const { database } = await openWith({ synchronous_commit: value });
  expect(await show(database, ['synchronous_commit'])).toEqual({ synchronous_commit: value });
});

test.each([
  'SQL, DMY',
  'German',
  'Postgres, DMY',
])('given the DateStyle %s of the database, a time is read as it was written', async (style) => {
  const { database } = await openWith({ DateStyle: style, TimeZone: 'America/Bogota' });
  const at = '2026-03-04T05:06:07.890Z';
  expect(await database.query({ text: 'SELECT $1::timestamptz AS at', values: [at] })).toEqual([{ at }]);
});

test('a time that is not ISO 8601 is returned as it is', async () => {
  const { database } = await openWith({});
  await expect(
    database.query({ text: "SELECT 'infinity'::timestamptz AS at, '4026-01-02 BC'::timestamptz AS bc" }),
  ).resolves.toEqual([{ at: 'infinity', bc: '4026-01-02 00:00:00+00 BC' }]);
});

test('a connection of its own has no time limit, whatever the database has', async () => {
  const { url } = await openWith({ statement_timeout: '1s' });
  await using session = await openSession(url);
  const { rows } = await session.query('SHOW statement_timeout');
  expect(rows).toEqual([{ statement_timeout: '0' }]);
});

test('given a column whose type has changed, a prepared statement fails once on each connection, and then works', async () => {
  const { database } = await openWith({});
  await database.query({ text: 'CREATE TABLE texts (value text)' });
  const read = () => database.query({ name: 'read', text: 'SELECT value FROM texts' });
  await read();
  await database.query({ text: 'ALTER TABLE texts ALTER COLUMN value TYPE varchar(9)' });
  await expect(read()).rejects.toThrow('cached plan must not change result type');
  await expect(read()).resolves.toEqual([]);
});

test('a connection that is left in a transaction is not used again', async () => {
  const { database } = await openWith({});
  await database.query({ text: 'BEGIN' });
  expect(
    await database.query({
      text: "SELECT count(*)::int AS open FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'",
    }),
  ).toEqual([{ open: 0 }]);
});

test('given ten checks at once, each passes: they do not wait for the connections of each other', async () => {
  const { database } = await openWith({});
  await Promise.all(Array.from({ length: 10 }, () => database.check()));
});
