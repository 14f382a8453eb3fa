/**
 * The SQLite database for ops/backup, ops/restore and ops/sql. It runs by `node --eval` in a container of any release, or without
 * Docker, and therefore imports nothing but Node.js. Errors are one line on standard error, with exit code 1.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';

/** In bytes, for what the service writes meanwhile. */
const reserved = 4 * 2 ** 20;
/** In ms. A copy of this age was left behind by a procedure that was killed. */
const leftOverAfter = 3_600_000;
const sqliteBusy = 5;

const path = pathOfDatabase();
const folder = dirname(path);
const time = new Date()
  .toISOString()
  .replace(/\.\d+Z|[-:]/g, '')
  .replace('T', '-');
const stamp = `${time}-${randomUUID().slice(0, 8)}`;

const [command, ...args] = process.argv.slice(1);
try {
  await { query, backUp, receive, install, requireUnused, requireKnownSchema }[command](...args);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

function pathOfDatabase() {
  if (fs.existsSync('.env')) process.loadEnvFile('.env');
  const [, file] = /^file:(.+)$/.exec(process.env.DATABASE_URL || 'file:data/payments.db') ?? [];
  if (file) return fs.existsSync(file) ? fs.realpathSync(file) : file;
  process.stderr.write('DATABASE_URL is not a SQLite file: use psql, pg_dump and pg_restore\n');
  return process.exit(1);
}

function openReadOnly() {
  if (!fs.existsSync(path)) throw new Error(`there is no database at ${path}`);
  return new DatabaseSync(path, { readOnly: true });
}

function query(sql) {
  using db = openReadOnly();
  // biome-ignore lint/suspicious/noConsole: it writes a table
  console.table(db.prepare(sql).all());
}

/** Writes a checked copy of the database to standard output, and its size and number of payments to standard error. */
async function backUp() {
  removeLeftOvers();
  const copy = join(folder, `backup-${stamp}.db`);
  await withRemoved(copy, async () => {
    using db = openReadOnly();
    requireSpace(
      Number(readValue(db, 'SELECT page_count * page_size FROM pragma_page_count, pragma_page_size')),
    );
    db.prepare('VACUUM INTO ?').run(copy);
    const payments = check(copy);
    await pipeline(fs.createReadStream(copy), process.stdout, { end: false });
    process.stderr.write(`${fs.statSync(copy).size} ${payments}\n`);
  });
}

/** Stores standard input beside the database, checks it, and prints its path. */
async function receive(bytes) {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeLeftOvers();
  requireSpace(Number(bytes));
  const copy = join(folder, `restore-${stamp}.db`);
  await withRemoved(copy, async (keep) => {
    await pipeline(process.stdin, fs.createWriteStream(copy, { mode: 0o600, flush: true }));
    if (fs.statSync(copy).size !== Number(bytes)) throw new Error('the backup arrived only in part');
    process.stdout.write(`${copy} ${check(copy)}\n`);
    keep();
  });
}

/**
 * Puts a received copy in the place of the database, whose files move to a folder of their own. The change is one rename, so that at
 * no time there is no database, from which the service would make an empty one.
 */
function install(copy) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {}); // not in the middle
  requireUnused();
  if (!fs.existsSync(path)) {
    fs.renameSync(copy, path);
    return;
  }
  const before = join(folder, `before-${stamp}`);
  fs.mkdirSync(before, { mode: 0o700 });
  const kept = (suffix) => join(before, basename(path) + suffix);
  const logs = ['-wal', '-shm'].filter((suffix) => fs.existsSync(path + suffix));
  fs.linkSync(path, kept(''));
  for (const suffix of logs) fs.renameSync(path + suffix, kept(suffix));
  try {
    fs.renameSync(copy, path);
  } catch (error) {
    for (const suffix of logs) fs.renameSync(kept(suffix), path + suffix);
    throw error;
  }
  fs.fsyncSync(fs.openSync(folder, 'r'));
  process.stdout.write(`${before}\n`);
}

/** Also brings the write-ahead log into the file. What is damaged, is in use by no service. */
function requireUnused() {
  if (!fs.existsSync(path)) return;
  try {
    using db = new DatabaseSync(path);
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
  } catch (error) {
    if (error.errcode === sqliteBusy) throw new Error(`a service uses ${path}: stop it first`);
  }
}

/** Throws if the database is of a newer release than this one. */
function requireKnownSchema() {
  using db = openReadOnly();
  requireVersion(db);
}

/** Returns the number of payments. */
function check(file) {
  try {
    using db = new DatabaseSync(file);
    const result = readValue(db, 'PRAGMA integrity_check(1)');
    if (result !== 'ok') throw new Error(result);
    requireVersion(db);
    return readValue(db, 'SELECT count(*) FROM payments');
  } catch (error) {
    throw new Error(`the copy is not a sound database of payment-service: ${error.message}`);
  } finally {
    for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true });
  }
}

function requireVersion(db) {
  const version = readValue(db, 'PRAGMA user_version');
  const migrations = ['src', 'payment-service/src'].map((source) => `${source}/store/sqlite/migrations`);
  const known = fs.readdirSync(migrations.find((each) => fs.existsSync(each))).length;
  if (version === 0) throw new Error('it has no schema version');
  if (version > known)
    throw new Error(`it has schema version ${version}, and this release knows versions up to ${known}`);
}

function readValue(db, sql) {
  return Object.values(db.prepare(sql).get())[0];
}

function requireSpace(bytes) {
  const { bavail, bsize } = fs.statfsSync(folder);
  const inMb = (size) => `${Math.ceil(size / 2 ** 20)} MB`;
  if (bavail * bsize < bytes + reserved)
    throw new Error(
      `too little space in ${folder}: ${inMb(bytes + reserved)} are needed, ${inMb(bavail * bsize)} are free`,
    );
}

/** Removes the file in the end, also when the operator interrupts, unless it is kept. */
async function withRemoved(file, work) {
  let isKept = false;
  const remove = () => {
    if (!isKept) fs.rmSync(file, { force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      remove();
      process.exit(1);
    });
  try {
    await work(() => {
      isKept = true;
    });
  } finally {
    remove();
  }
}

function removeLeftOvers() {
  for (const name of fs.readdirSync(folder)) {
    const file = join(folder, name);
    if (!/^(backup|restore)-\d{8}-\d{6}-[0-9a-f]{8}\.db/.test(name)) continue;
    if (Date.now() - fs.statSync(file).mtimeMs > leftOverAfter) fs.rmSync(file);
  }
}
