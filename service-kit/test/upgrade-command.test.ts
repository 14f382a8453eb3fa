import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import process from 'node:process';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { createDatabase } from '../../test/postgres-server.ts';

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a service's check as an operator does. */
function check(service: string, settings: Record<string, string>): Promise<Run> {
  const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...settings };
  const { promise, resolve: done } = Promise.withResolvers<Run>();
  const script = resolve(`${service}/src/check-upgrade.ts`);
  execFile(process.execPath, [script], { cwd: tmpdir(), env }, (error, stdout, stderr) =>
    done({ code: error ? Number(error.code) : 0, stdout, stderr }),
  );
  return promise;
}

test('given a database that no replica uses, exits with 0 for each service', async () => {
  const url = await createDatabase(inject('postgresPort'));
  expect(await check('payment-service', { DATABASE_URL: url })).toEqual({
    code: 0,
    stdout: 'this release has schema version 10 of payment-service; replicas that run: none\n',
    stderr: '',
  });
  for (const service of ['aldeamo-service', 'twilio-service'])
    expect(await check(service, { SENDS_DATABASE_URL: url })).toEqual({
      code: 0,
      stdout: 'this release has schema version 1 of provider-services; replicas that run: none\n',
      stderr: '',
    });
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  await client.end();
  expect(rows).toEqual([]); // it has changed nothing
});

test.each([
  ['payment-service', { DATABASE_URL: 'file:./data/payments.db' }, 'a SQLite file is for one process'],
  ['aldeamo-service', {}, 'without SENDS_DATABASE_URL'],
  ['twilio-service', {}, 'without SENDS_DATABASE_URL'],
])('given %s with %o, which is one process, exits with 1 and one line', async (service, settings, reason) => {
  const { code, stdout, stderr } = await check(service, settings);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr.startsWith(reason)).toBe(true);
  expect(stderr.split('\n')).toHaveLength(2);
});

test('given a database that is not there, exits with 2 and one line without the password', async () => {
  const url = 'postgres://payments:sekret@127.0.0.1:1/payments';
  const why =
    'it is not known which replicas run: no PostgreSQL listens at 127.0.0.1:1: start it, or correct';
  expect(await check('payment-service', { DATABASE_URL: url })).toEqual({
    code: 2,
    stdout: '',
    stderr: `${why} DATABASE_URL\n`,
  });
  expect(await check('twilio-service', { SENDS_DATABASE_URL: url })).toEqual({
    code: 2,
    stdout: '',
    stderr: `${why} SENDS_DATABASE_URL\n`,
  });
});

test('given a password beside the URL, connects with it', async () => {
  const url = new URL(await createDatabase(inject('postgresPort')));
  const password = url.password;
  url.password = '';
  const beside = { DATABASE_URL: url.href, DATABASE_PASSWORD: password };
  expect(await check('payment-service', beside)).toMatchObject({ code: 0, stderr: '' });
  const ofSends = { SENDS_DATABASE_URL: url.href, SENDS_DATABASE_PASSWORD: password };
  expect(await check('twilio-service', ofSends)).toMatchObject({ code: 0, stderr: '' });
});

test('given a wrong setting, exits with 2 and names it', async () => {
  const { code, stderr } = await check('payment-service', { PORT: 'x' });
  expect(code).toBe(2);
  expect(stderr).toContain('PORT: ');
});
