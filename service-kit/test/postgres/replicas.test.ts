import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { connectTo } from '../../../test/connect-to-postgres.ts';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { createDatabase } from '../../../test/postgres-server.ts';
import { createLogger } from '../../src/http/start.ts';
import { checkUpgrade } from '../../src/postgres/check-upgrade.ts';
import { openDatabase } from '../../src/postgres/open-database.ts';
import { ReleaseRefused, type Schema } from '../../src/postgres/schema.ts';

const newDatabase = () => createDatabase(inject('postgresPort'));

/** A release whose last migration is `version`. */
const release = (version: number, runsBeside = 0): Schema => ({
  owner: 'things',
  migrations: [
    'CREATE TABLE things (id text)',
    'ALTER TABLE things ADD COLUMN a text',
    'DROP TABLE things',
  ].slice(0, version),
  runsBeside,
  sessions: ['LISTEN things'],
});

async function start(url: string, schema: Schema, leaseMs = 60_000, lines: string[] = []) {
  const log = createLogger({}, { write: (line) => void lines.push(line) });
  const database = await openDatabase(url, {
    schema,
    replica: { id: randomUUID(), name: 'one', leaseMs },
    log,
  });
  const close = vi.fn(database.close);
  onTestFinished(async () => {
    if (close.mock.calls.length === 0) await close();
  });
  return { ...database, close };
}

const versionsIn = async (url: string) =>
  (
    await (await connectTo(url)).query('SELECT schema_version FROM replicas ORDER BY schema_version')
  ).rows.map(({ schema_version }) => schema_version);

/** A session as a replica has it that records nothing. */
async function startFormer(url: string): Promise<pg.Client> {
  const client = await connectTo(url);
  await client.query('LISTEN things');
  return client;
}

const check = (url: string, schema: Schema) => checkUpgrade(url, 'DATABASE_URL', schema);

test('a replica is recorded with its schema version until it is closed', async () => {
  const url = await newDatabase();
  const [older, newer] = [await start(url, release(1)), await start(url, release(2))];
  expect(await versionsIn(url)).toEqual([1, 2]);
  await older.close();
  expect(await versionsIn(url)).toEqual([2]);
  await newer.close();
  expect(await versionsIn(url)).toEqual([]);
});

test('given a release that others cannot run beside, it is refused without a change until they have stopped', async () => {
  const url = await newDatabase();
  const older = await start(url, release(2));
  const refused = start(url, release(3, 3));
  await expect(refused).rejects.toBeInstanceOf(ReleaseRefused);
  await expect(refused).rejects.toThrow(
    'this release, with schema version 3 of things, cannot run beside the running 1 of schema version 2: stop all replicas of things, then start it',
  );
  await older.query({ text: 'INSERT INTO things VALUES (1, 2)' });
  expect((await check(url, release(3, 3))).answer).toBe('refused');
  await older.close();
  expect((await check(url, release(3, 3))).answer).toBe('possible');
  await start(url, release(3, 3));
});

test('given a database of such a release, older ones are refused from then on', async () => {
  const url = await newDatabase();
  await (await start(url, release(3, 3))).close();
  const reason =
    'this release has schema version 2 of things, and the database is for 3 or higher: start a newer release';
  await expect(start(url, release(2))).rejects.toThrow(reason);
  expect(await check(url, release(2))).toEqual({ answer: 'refused', reason });
  await start(url, release(3));
});

test('given a replica that runs and records nothing, such a release is refused until it is gone', async () => {
  const url = await newDatabase();
  const former = await startFormer(url);
  const reason =
    'this release, with schema version 3 of things, cannot run beside the running 1 of a release that does not record itself: stop all replicas of things, then start it';
  expect(await check(url, release(3, 3))).toEqual({ answer: 'refused', reason });
  await expect(start(url, release(3, 3))).rejects.toThrow(reason);
  await start(url, release(2));
  await former.query('SELECT 1');
});

test('given sessions of this release, none is taken for one that records nothing', async () => {
  const url = await newDatabase();
  const client = await startFormer(url);
  await client.query("SET application_name = 'things'");
  await client.query('LISTEN things');
  expect(await check(url, release(3, 3))).toEqual({
    answer: 'possible',
    reason: 'this release has schema version 3 of things; replicas that run: none',
  });
});

test('given a replica that died, its record counts for a lease', async () => {
  const url = await newDatabase();
  await start(url, release(1), 60_000);
  const client = await connectTo(url);
  await expect(start(url, release(3, 3))).rejects.toThrow('1 of schema version 1');
  await client.query("UPDATE replicas SET expires_at = now() - interval '1 ms'");
  expect((await check(url, release(3, 3))).answer).toBe('possible');
  await start(url, release(3, 3));
  expect(await versionsIn(url)).toEqual([3]);
});

test('a replica that runs renews its record, also if it was deleted meanwhile', async () => {
  const url = await newDatabase();
  const [replica, client] = [await start(url, release(1), 300), await connectTo(url)];
  await client.query('DELETE FROM replicas');
  await vi.waitFor(async () => expect(await versionsIn(url)).toEqual([1]), 2000);
  await delay(400);
  expect((await check(url, release(3, 3))).reason).toContain('1 of schema version 1');
  await replica.close();
});

test('the log says when replicas of another release run on the same database, and when no longer', async () => {
  const url = await newDatabase();
  const lines: string[] = [];
  const logged = () => lines.map((line) => JSON.parse(line)).map(({ msg, beside }) => ({ msg, beside }));
  const former = await startFormer(url);
  await start(url, release(2), 60, lines);
  const other = 'replicas of another release use the same database';
  await vi.waitFor(() => expect(logged()).toHaveLength(1));
  const older = await start(url, release(1), 60);
  await vi.waitFor(() => expect(logged()).toHaveLength(2));
  await former.query('SELECT 1');
  await older.close();
  await vi.waitFor(() => expect(logged().at(-1)?.beside).toBeUndefined());
  expect(logged()[0]).toEqual({ msg: other, beside: '1 of a release that does not record itself' });
  expect(logged()[1]).toEqual({
    msg: other,
    beside: '1 of a release that does not record itself and 1 of schema version 1',
  });
  expect(logged().at(-1)?.msg).toBe('all replicas have the schema version of this release');
});

/** How long a replica takes to close, in ms. */
async function closingTime({ close }: { close: () => Promise<void> }): Promise<number> {
  const begun = performance.now();
  await close();
  return performance.now() - begun;
}

/** A replica whose database can fall silent. */
async function startBehindProxy(leaseMs: number, lines?: string[]) {
  const url = new URL(await newDatabase());
  const proxy = await startTcpProxy(Number(url.port));
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  url.port = String(proxy.port);
  return { proxy, replica: await start(url.href, release(1), leaseMs, lines) };
}

test('given a database that is silent to a connection, or to a new one, a replica closes within a second', async () => {
  const [connected, connecting] = [await startBehindProxy(60_000), await startBehindProxy(60_000)];
  await connected.replica.query({ text: 'SELECT 1' });
  for (const { proxy, replica } of [connected, connecting]) {
    proxy.stall();
    expect(await closingTime(replica)).toBeLessThan(1000);
  }
});

test('given a database that falls silent while a record is renewed, a replica closes within a second', async () => {
  const lines: string[] = [];
  const { proxy, replica } = await startBehindProxy(60, lines);
  proxy.stall();
  await delay(200);
  expect(await closingTime(replica)).toBeLessThan(1000);
  await delay(50);
  expect(lines).toEqual([]);
});

test('given a record whose renewal waits for a lock, a replica closes within a second', async () => {
  const url = await newDatabase();
  const [replica, client] = [await start(url, release(1), 60), await connectTo(url)];
  await client.query('BEGIN; LOCK TABLE replicas');
  await delay(200);
  expect(await closingTime(replica)).toBeLessThan(1000);
});

test('given a statement that runs, a replica closes after it', async () => {
  const replica = await start(await newDatabase(), release(1));
  const running = replica.query({ text: 'SELECT pg_sleep(1.2) IS NULL AS is_null' });
  await delay(100);
  expect(await closingTime(replica)).toBeGreaterThan(900);
  expect(await running).toEqual([{ is_null: false }]);
});

test('given a database that is not there, it is not known whether a release may start', async () => {
  expect(await check('postgres://payments:sekret@127.0.0.1:1/payments', release(1))).toEqual({
    answer: 'unknown',
    reason:
      'it is not known which replicas run: no PostgreSQL listens at 127.0.0.1:1: start it, or correct DATABASE_URL',
  });
});

test('given a user that may not read the records, the check of an upgrade says what to grant', async () => {
  const url = new URL(await newDatabase());
  await (await start(url.href, release(1))).close();
  const user = `reader_${randomUUID().slice(0, 8)}`;
  await (await connectTo(url.href)).query(`CREATE ROLE ${user} LOGIN PASSWORD 'sekret'`);
  url.username = user;
  url.password = 'sekret';
  expect(await check(url.href, release(1))).toEqual({
    answer: 'unknown',
    reason: `it is not known which replicas run: the user ${user} may not use the tables in the database ${url.pathname.slice(1)}, permission denied for table replicas (42501): make it their owner, or GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
  });
});
