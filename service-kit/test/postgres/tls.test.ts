import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { explainDatabaseError } from 'service-kit/postgres/explain-database-error.ts';
import { migratePostgres } from 'service-kit/postgres/migrate.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestAuthority, selfSigned, type TestAuthority } from '../../../test/doubles/certificates.ts';
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts';

/** Only the databases `postgres` and `plain` are open without TLS. */
const access = `
host    postgres,plain all 127.0.0.1/32 scram-sha-256
hostssl certified all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl encrypted all 127.0.0.1/32 scram-sha-256
`;

let authority: TestAuthority;
let stranger: TestAuthority;
let postgres: PostgresServer;
let server: string;
let admin: pg.Client;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postgres-tls-'));
  authority = createTestAuthority();
  stranger = createTestAuthority();
  const [right, expired, misnamed] = [
    authority.issue(),
    authority.issue({ days: -1 }),
    authority.issue({ names: 'DNS:db.example' }),
  ] as const;
  postgres = await startPostgres({
    settings: { fsync: 'off' },
    files: {
      'postgresql.auto.conf': "ssl = on\nssl_ca_file = 'ca.crt'\n",
      'pg_hba.conf': access,
      'ca.crt': authority.ca,
      'server.crt': right.cert,
      'server.key': right.key,
      'expired.crt': expired.cert,
      'expired.key': expired.key,
      'misnamed.crt': misnamed.cert,
      'misnamed.key': misnamed.key,
    },
  });
  server = `127.0.0.1:${postgres.port}`;
  admin = new pg.Client(`postgres://payments:payments@${server}/postgres`);
  await admin.connect();
  for (const name of ['plain', 'certified', 'encrypted']) await admin.query(`CREATE DATABASE ${name}`);
}, 60_000);
afterAll(async () => {
  await admin.end();
  await postgres[Symbol.asyncDispose]();
  for (const each of [authority, stranger]) each[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};

function urlOf(database: string, options: Record<string, string> = {}): string {
  const url = new URL(`postgres://payments:payments@${server}/${database}`);
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, value);
  return url.href;
}

const verified = () => ({ sslmode: 'verify-full', sslrootcert: authority.caFile });

const explain = (url: string) =>
  migratePostgres(url, { owner: 'test', migrations: [], runsBeside: 0, sessions: [] }).then(
    () => 'opened',
    (error: unknown) => explainDatabaseError(error, url, 'DATABASE_URL'),
  );

function clientCertificate(of: TestAuthority) {
  const { cert, key } = of.issue();
  return { sslcert: file('client.crt', cert), sslkey: file('client.key', key) };
}

const untrusted = (cause: string) =>
  `the certificate of PostgreSQL at ${server} is not trusted, ${cause}: name the file of its root certificate (PEM) in DATABASE_URL by sslrootcert=<file>`;
const inChain = 'self-signed certificate in certificate chain (SELF_SIGNED_CERT_IN_CHAIN)';
const unreadable = (cause: string) =>
  `a file that DATABASE_URL names (sslrootcert, sslcert, sslkey) cannot be read, ${cause}: correct its path, or let this user read it`;

test.each<[string, () => string, () => string]>([
  ['the root of its certificate', () => urlOf('encrypted', verified()), () => 'opened'],
  [
    'the root, and the client certificate that it requires',
    () => urlOf('certified', { ...verified(), ...clientCertificate(authority) }),
    () => 'opened',
  ],
  [
    'another root',
    () => urlOf('encrypted', { ...verified(), sslrootcert: stranger.caFile }),
    () => untrusted(inChain),
  ],
  ['no root', () => urlOf('encrypted', { sslmode: 'verify-full' }), () => untrusted(inChain)],
  [
    'a root that is no certificate',
    () => urlOf('encrypted', { ...verified(), sslrootcert: file('garbage', 'garbage') }),
    () => untrusted(inChain),
  ],
  [
    'the file of a root that does not exist',
    () => urlOf('encrypted', { ...verified(), sslrootcert: '/nowhere/ca.crt' }),
    () => unreadable("ENOENT: no such file or directory, open '/nowhere/ca.crt' (ENOENT)"),
  ],
  [
    'a folder in place of the file',
    () => urlOf('encrypted', { ...verified(), sslrootcert: folder }),
    () => unreadable('EISDIR: illegal operation on a directory, read (EISDIR)'),
  ],
  [
    'no TLS, which it requires',
    () => urlOf('encrypted'),
    () =>
      `PostgreSQL at ${server} refuses a connection without TLS, no pg_hba.conf entry for host "127.0.0.1", user "payments", database "encrypted", no encryption (28000): add sslmode=verify-full to DATABASE_URL, or an entry to pg_hba.conf`,
  ],
  [
    'a database that no entry of pg_hba.conf has',
    () => urlOf('template1', verified()),
    () =>
      `PostgreSQL at ${server} refuses the connection, no pg_hba.conf entry for host "127.0.0.1", user "payments", database "template1", SSL encryption (28000): add an entry to pg_hba.conf`,
  ],
  [
    'no client certificate, which it requires',
    () => urlOf('certified', verified()),
    () =>
      `PostgreSQL at ${server} requires a client certificate: name it and its key in DATABASE_URL by sslcert=<file> and sslkey=<file>`,
  ],
  [
    'a client certificate of another authority',
    () => urlOf('certified', { ...verified(), ...clientCertificate(stranger) }),
    () =>
      `PostgreSQL at ${server} does not accept the client certificate: correct sslcert and sslkey in DATABASE_URL`,
  ],
  [
    'a key that is not that of the client certificate',
    () =>
      urlOf('certified', {
        ...verified(),
        ...clientCertificate(authority),
        sslkey: file('other.key', selfSigned().key),
      }),
    () => 'the key of sslkey is not that of the certificate of sslcert: correct one of them in DATABASE_URL',
  ],
])('given a server with TLS, and a URL with %s, it is opened, or the cause and the remedy are named', async (_what, url, expected) => {
  expect(await explain(url())).toBe(expected());
});

/** Applies settings of the server to the connections that come after this. */
async function configure(settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await admin.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await admin.query('SELECT pg_reload_conf()');
}

test.each<[string, Record<string, string>, () => string]>([
  [
    'that has expired',
    { ssl_cert_file: 'expired.crt', ssl_key_file: 'expired.key' },
    () => `the certificate of PostgreSQL at ${server} has expired: renew it`,
  ],
  [
    'for another name',
    { ssl_cert_file: 'misnamed.crt', ssl_key_file: 'misnamed.key' },
    () =>
      `the certificate of PostgreSQL at ${server} is not for 127.0.0.1: use a name that it has in DATABASE_URL`,
  ],
  [
    'that it no longer uses, because TLS is off',
    { ssl: 'off' },
    () => `PostgreSQL at ${server} has no TLS: remove sslmode from DATABASE_URL`,
  ],
])('given a server with a certificate %s, the cause is named, and it is opened once that is put right', async (_what, fault, expected) => {
  const url = urlOf('plain', verified());
  await configure(fault);
  await expect.poll(() => explain(url)).toBe(expected());
  await configure({ ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' });
  await expect.poll(() => explain(url)).toBe('opened');
});
