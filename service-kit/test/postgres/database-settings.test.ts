import pg from 'pg';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import { withPassword } from 'service-kit/postgres/database-settings.ts';
import { openSession } from 'service-kit/postgres/session.ts';
import { expect, inject, test } from 'vitest';
import { aldeamoConfigSchema } from '../../../aldeamo-service/src/config.ts';
import { paymentConfigSchema } from '../../../payment-service/src/config.ts';
import { createDatabase } from '../../../test/postgres-server.ts';
import { publicUrl } from '../../../twilio-service/src/public-url.ts';

const payment = (env: Record<string, string>) => readConfiguration(paymentConfigSchema, env);
const aldeamo = (env: Record<string, string>) => readConfiguration(aldeamoConfigSchema, env);

test.each([
  ['characters of a URL', "p@:/?#[]%41&=+ 'ñ$\\"],
  ['a percent sign alone', '100%'],
])('given a password with %s, the database takes it as it is', async (_what, password) => {
  const admin = await createDatabase(inject('postgresPort'));
  const client = new pg.Client(admin);
  await client.connect();
  await client.query(`CREATE ROLE odd LOGIN PASSWORD ${client.escapeLiteral(password)}`);
  const url = new URL(admin);
  url.username = 'odd';
  url.password = '';
  try {
    await using session = await openSession(withPassword(`${url.href}?application_name=a%20b`, password));
    const { rows } = await session.ask("SELECT current_user, current_setting('application_name') AS name");
    expect(rows).toEqual([{ current_user: 'odd', name: 'a b' }]);
  } finally {
    await client.query('DROP ROLE odd');
    await client.end();
  }
});

test('given the URL of a Unix socket, the password is added as well', () => {
  const config = new pg.Client(
    withPassword('postgres:///payments?host=/run/postgresql&user=ana', 'a b'),
  ) as pg.Client & {
    password: string;
  };
  expect([config.user, config.host, config.database, config.password]).toEqual([
    'ana',
    '/run/postgresql',
    'payments',
    'a b',
  ]);
});

test.each([
  ['behind', '', ' '],
  ['before', ' ', ''],
  ['behind, as a tab,', '', '\t'],
  ['behind, as a line end,', '', '\r\n'],
])('given white space %s a URL or the host, it is no part of it', (_where, before, behind) => {
  const around = (url: string) => `${before}${url}${behind}`;
  const postgres = 'postgres://ana:x@host/payments';
  for (const url of [postgres, 'file:./payments.db'])
    expect(payment({ DATABASE_URL: around(url) }).DATABASE_URL).toBe(url);
  expect(aldeamo({ SENDS_DATABASE_URL: around(postgres) }).SENDS_DATABASE_URL).toBe(postgres);
  expect(payment({ HOST: around('127.0.0.1') }).HOST).toBe('127.0.0.1');
  const service = 'http://host:1';
  expect(payment({ ALDEAMO_SERVICE_URL: around(service) }).ALDEAMO_SERVICE_URL).toBe(service);
  expect(aldeamo({ HTTPS_PROXY: around(service) }).HTTPS_PROXY).toBe(service);
  expect(publicUrl().parse(around('https://host.example'))).toBe('https://host.example');
});

test.each([
  ['in the URL', 'postgres://ana:x@host/payments'],
  ['in the query of the URL', 'postgres://ana@host/payments?password=x'],
])('given a second password %s, names both settings', (_where, url) => {
  expect(() => payment({ DATABASE_URL: url, DATABASE_PASSWORD: 'y' })).toThrow(
    'DATABASE_PASSWORD: must not be set together with a password in DATABASE_URL',
  );
  expect(() => aldeamo({ SENDS_DATABASE_URL: url, SENDS_DATABASE_PASSWORD: 'y' })).toThrow(
    'SENDS_DATABASE_PASSWORD: must not be set together with a password in SENDS_DATABASE_URL',
  );
});

test('given a password without the URL of a PostgreSQL, names the URL: the payments would be elsewhere', () => {
  expect(() => payment({ DATABASE_PASSWORD: 'y' })).toThrow(
    'DATABASE_PASSWORD: requires the postgres:// URL of its database in DATABASE_URL',
  );
  expect(() => aldeamo({ SENDS_DATABASE_PASSWORD: 'y' })).toThrow(
    'SENDS_DATABASE_PASSWORD: requires the postgres:// URL of its database in SENDS_DATABASE_URL',
  );
});
