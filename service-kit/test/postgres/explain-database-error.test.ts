import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import pg from 'pg';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { explainDatabaseError } from 'service-kit/postgres/explain-database-error.ts';
import { migratePostgres } from 'service-kit/postgres/migrate.ts';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../test/postgres-server.ts';

const server = `127.0.0.1:${inject('postgresPort')}`;
const schema = {
  owner: 'test',
  migrations: ['CREATE TABLE things (id text)'],
  runsBeside: 0,
  sessions: [],
};

const explain = (url: string) =>
  migratePostgres(url, schema).then(
    () => 'opened',
    (error: unknown) => explainDatabaseError(error, url, 'DATABASE_URL'),
  );

test.each([
  [
    'nothing listens',
    'postgres://payments:sekret@127.0.0.1:1/payments',
    'no PostgreSQL listens at 127.0.0.1:1: start it, or correct DATABASE_URL',
  ],
  [
    'the host name has no address',
    'postgres://payments:sekret@no-such-host.invalid/payments',
    'the host name no-such-host.invalid has no address: correct it in DATABASE_URL',
  ],
  [
    'the password is wrong',
    `postgres://payments:sekret@${server}/postgres`,
    `PostgreSQL at ${server} refuses the connection, password authentication failed for user "payments" (28P01): correct the user or the password in DATABASE_URL, or DATABASE_PASSWORD`,
  ],
  [
    'the password is missing',
    `postgres://payments@${server}/postgres`,
    `PostgreSQL at ${server} requires a password: set DATABASE_PASSWORD, or add it to DATABASE_URL, as in postgres://user:password@host/database`,
  ],
  [
    'there is no such database',
    `postgres://payments:payments@${server}/no%20such`,
    `PostgreSQL at ${server} has no database no such: create it, or correct its name in DATABASE_URL`,
  ],
  [
    'the server has no TLS',
    `postgres://payments:payments@${server}/postgres?sslmode=verify-full`,
    `PostgreSQL at ${server} has no TLS: remove sslmode from DATABASE_URL`,
  ],
])('given a URL of which %s, explains it with the remedy and without the password', async (_what, url, expected) => {
  expect(await explain(url)).toBe(expected);
});

/** A new user of a new database, which `prepare` has set up as its owner. */
async function newUser(prepare: (user: string, database: string) => string[]) {
  const url = new URL(await createDatabase(inject('postgresPort')));
  const [user, database] = [`reader_${randomUUID().slice(0, 8)}`, url.pathname.slice(1)];
  const client = new pg.Client(url.href);
  await client.connect();
  await client.query(`CREATE ROLE ${user} LOGIN PASSWORD 'sekret'`);
  for (const statement of prepare(user, database)) await client.query(statement);
  await client.end();
  url.username = user;
  url.password = 'sekret';
  return { url: url.href, user, database };
}

test.each<[string, (user: string, database: string) => string[], (user: string, database: string) => string]>(
  [
    [
      'create tables',
      () => [],
      (user, database) =>
        `the user ${user} may not create tables in the database ${database}: GRANT CREATE ON SCHEMA public TO ${user}`,
    ],
    [
      'use the tables',
      (user) => [
        `GRANT CREATE ON SCHEMA public TO ${user}`,
        'CREATE TABLE schema_versions (owner text PRIMARY KEY, version integer NOT NULL)',
      ],
      (user, database) =>
        `the user ${user} may not use the tables in the database ${database}, permission denied for table schema_versions (42501): make it their owner, or GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
    ],
    [
      'change the tables',
      (user) => [
        `GRANT CREATE ON SCHEMA public TO ${user}`,
        'CREATE TABLE schema_versions (owner text PRIMARY KEY, version integer NOT NULL)',
        `GRANT ALL ON schema_versions TO ${user}`,
      ],
      (user, database) =>
        `the user ${user} may not change the tables in the database ${database}, must be owner of table schema_versions (42501): make it their owner`,
    ],
    [
      'connect',
      (_user, database) => [`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`],
      (user, database) =>
        `the user ${user} may not connect to the database ${database}: GRANT CONNECT ON DATABASE ${database} TO ${user}`,
    ],
  ],
)('given a user that may not %s, explains what to grant', async (_what, prepare, expected) => {
  const { url, user, database } = await newUser(prepare);
  expect(await explain(url)).toBe(expected(user, database));
});

test('given a missing privilege in another language, quotes the server', () => {
  const refused = { message: 'permiso denegado al esquema public', code: '42501', severity: 'ERROR' };
  expect(explainDatabaseError(new DatabaseError(refused, false), 'postgres://ana@h/d', 'DATABASE_URL')).toBe(
    'the user ana lacks a privilege in the database d, permiso denegado al esquema public (42501): grant it',
  );
});

async function portOf(silent: Server): Promise<number> {
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void silent.close());
  return (silent.address() as AddressInfo).port;
}

test('given a program that closes the connection without an answer, says that PostgreSQL does not answer', async () => {
  const port = await portOf(createServer((socket) => void socket.end()));
  expect(await explain(`postgres://payments:sekret@127.0.0.1:${port}/payments`)).toBe(
    `PostgreSQL at 127.0.0.1:${port} does not answer: check that address in DATABASE_URL, the network, and the pool size of a pooler`,
  );
});

test('given a statement that the database refuses, or an error of another kind, explains nothing', () => {
  const refused = Object.assign(new Error('column "x" does not exist'), { code: '42703', severity: 'ERROR' });
  for (const error of [new DatabaseError(refused, false), new TypeError('a bug'), undefined])
    expect(explainDatabaseError(error, 'postgres://h/d', 'DATABASE_URL')).toBeUndefined();
});
