import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrateSqlite } from '../payment-service/src/store/sqlite/migrate.ts';

/** The scripts of ops/ for an installation without Docker, and what all of them refuse. */

const run = promisify(execFile);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procedures-'));
});
afterEach(() => rm(folder, { recursive: true }));

const ops = (script: string, ...args: string[]) =>
  run(resolve('ops', script), args, {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: `file:${folder}/payments.db` },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code, out: stdout, err: stderr }),
  );

/** A database with a customer's phone, which is easier to write than a payment. */
function createDatabase(file = 'payments.db', phone = '1'): DatabaseSync {
  const db = new DatabaseSync(join(folder, file));
  db.exec('PRAGMA journal_mode = WAL');
  migrateSqlite(db);
  db.prepare("INSERT INTO customers (client, customer_id, phone) VALUES ('', ?, ?)").run('1', phone);
  return db;
}

test.each([
  ['each', ['payment-service']],
  ['sql', []],
  ['sql', ['--no-docker', '']],
  ['backup', ['a', 'b']],
  ['restore', []],
  ['up', ['payment-service']],
  ['up', ['payment-service=0']],
  ['roll', []],
  ['roll', ['payment-service', 'two']],
  ['upgrade', ['--forward']],
  ['copy-to-postgres', ['payments']],
  ['trace', []],
])('given arguments that do not fit, ops/%s prints its usage and exits with 2', async (script, args) => {
  const { code, err } = await ops(script, ...args);
  expect([code, err]).toEqual([2, expect.stringMatching(`^Usage: ops/${script}`)]);
});

test('given a database in use, ops/backup copies it, also what is only in its log, and ops/restore refuses', async () => {
  using _ = createDatabase();
  const backup = await ops('backup', '--no-docker', 'copy.db');
  const restore = await ops('restore', '--no-docker', 'copy.db');

  expect(backup).toMatchObject({ code: 0, out: `${folder}/copy.db has 0 payments\n` });
  expect(restore).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^ops\/restore: nothing was changed: a service uses .*: stop it first\n$/),
  });
  using copy = new DatabaseSync(join(folder, 'copy.db'), { readOnly: true });
  expect(copy.prepare('SELECT phone FROM customers').all()).toEqual([{ phone: '1' }]);
  expect((await readdir(folder)).toSorted()).toEqual([
    'copy.db',
    'payments.db',
    'payments.db-shm',
    'payments.db-wal',
  ]);
});

test('ops/restore keeps the former files each time, and its files are for the owner alone', async () => {
  createDatabase().close();
  createDatabase('other.db', '2').close();

  for (const backup of ['other.db', 'other.db'])
    expect(await ops('restore', '--no-docker', backup)).toMatchObject({ code: 0, err: '' });

  expect((await ops('sql', '--no-docker', 'SELECT phone FROM customers')).out).toMatch("'2'");
  const kept = (await readdir(folder)).filter((name) => name.startsWith('before-'));
  expect(kept).toHaveLength(2);
  for (const path of ['payments.db', ...kept])
    expect((await stat(join(folder, path))).mode & 0o077, path).toBe(0);
});

test.each([
  ['is not a database', 'text', 'is not a backup of SQLite'],
  ['is cut off', 'SQLite format 3\0', 'not a sound database'],
  ['is of another program', undefined, 'it has no schema version'],
  ['is of a newer release', 99, 'it has schema version 99'],
])('given a file that %s, ops/restore changes nothing', async (_what, content, reason) => {
  createDatabase().close();
  const before = await readFile(join(folder, 'payments.db'));
  if (typeof content === 'string') await writeFile(join(folder, 'wrong.db'), content);
  else {
    using wrong = new DatabaseSync(join(folder, 'wrong.db'));
    wrong.exec(`CREATE TABLE payments (id text); PRAGMA user_version = ${content ?? 0}`);
  }

  const { code, err } = await ops('restore', '--no-docker', 'wrong.db');

  expect([code, err]).toEqual([1, expect.stringMatching(reason)]);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(await readFile(join(folder, 'payments.db'))).toEqual(before);
  expect((await readdir(folder)).toSorted()).toEqual(['payments.db', 'wrong.db']);
});

test('given a disk that is full in the middle, ops/backup and ops/restore leave no file, and the database is as before', async () => {
  createDatabase().close();
  await ops('backup', '--no-docker', 'copy.db');
  const before = await readFile(join(folder, 'payments.db'));
  // Limits files to 8 KiB. The trap ignores SIGXFSZ, which would kill the process instead of failing its write.
  const limited = (script: string, file: string) =>
    run('bash', ['-c', `trap '' XFSZ; ulimit -f 8; exec "$0" --no-docker ${file}`, resolve('ops', script)], {
      cwd: folder,
      env: { ...process.env, DATABASE_URL: `file:${folder}/payments.db` },
    });

  await expect(limited('backup', 'full.db')).rejects.toMatchObject({ code: 1 });
  await expect(limited('restore', 'copy.db')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching('nothing was changed'),
  });

  const left = (await readdir(folder)).filter((name) => !name.endsWith('-shm')); // of a reader
  expect(left.toSorted()).toEqual(['copy.db', 'payments.db']);
  expect(await readFile(join(folder, 'payments.db'))).toEqual(before);
});

test('given no database, ops/backup fails and leaves no file, and ops/restore makes one', async () => {
  createDatabase('other.db').close();

  expect(await ops('backup', '--no-docker', 'copy.db')).toMatchObject({
    code: 1,
    err: `ops/backup: no backup was made: there is no database at ${folder}/payments.db\n`,
  });
  expect(await readdir(folder)).toEqual(['other.db']);
  expect(await ops('restore', '--no-docker', 'other.db')).toMatchObject({ code: 0 });
  expect((await ops('sql', '--no-docker', 'SELECT phone FROM customers')).out).toMatch("'1'");
});
