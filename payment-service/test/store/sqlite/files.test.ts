import { hash, randomUUID } from 'node:crypto';
import fs, {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Payment } from '../../../src/domain/payment.ts';
import type { EventRecording } from '../../../src/store/events.ts';
import { openSqliteStore } from '../../../src/store/sqlite/store.ts';
import { openWriter } from '../../../src/store/sqlite/writer.ts';
import { CommitUnknown, type FaultObserver, type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { everything, paymentNumber, recordOf } from '../store-contract.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'sqlite-files-')));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const newPath = () => join(directory, randomUUID(), 'payments.db');

/** A store that is closed at the end of the test, unless the test has closed it. */
async function open(path: string, events: EventRecording = 'off') {
  const fault = vi.fn<FaultObserver>();
  const opened = await openSqliteStore({ path, leaseMs, events, onFault: fault });
  const closing = () => opened.close();
  let close: typeof closing | undefined = closing;
  const store: Store = {
    ...opened,
    async close() {
      await close?.();
      close = undefined;
    },
  };
  onTestFinished(() => store.close());
  return { store, fault };
}

/** What a write was rejected with: that it had no effect, not that it may have had one. */
async function refusalOf(operation: Promise<unknown>): Promise<string> {
  const error = await operation.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect(error).not.toBeInstanceOf(CommitUnknown);
  return String(((error as Error).cause as Error).message);
}

/** The files of a folder with a hash of what is in them; the locks are of no account. */
const contentOf = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder).map((name) => [
      name,
      name.endsWith('-shm') ? '' : hash('sha256', readFileSync(join(folder, name))),
    ]),
  );

const replace = (path: string) => {
  copyFileSync(path, `${path}.new`);
  renameSync(`${path}.new`, path);
};

describe('given files that are no longer those that were opened', () => {
  test.each<[name: string, disturb: (path: string) => void, why: RegExp]>([
    ['a removed database', (path) => rmSync(path), /^payments\.db is gone$/],
    ['a renamed database', (path) => renameSync(path, `${path}.old`), /^payments\.db is gone$/],
    ['a copy in its place', replace, /^payments\.db is another file/],
    [
      'a stranger in its place',
      (path) => {
        writeFileSync(`${path}.new`, 'a letter');
        renameSync(`${path}.new`, path);
      },
      /^payments\.db is another file/,
    ],
    [
      'a renamed folder',
      (path) => renameSync(dirname(path), `${dirname(path)}.old`),
      /^payments\.db is gone$/,
    ],
    ['a removed write-ahead log', (path) => rmSync(`${path}-wal`), /^payments\.db-wal is gone$/],
    ['another write-ahead log', (path) => replace(`${path}-wal`), /^payments\.db-wal is another file/],
    ['removed locks', (path) => rmSync(`${path}-shm`), /^payments\.db-shm is gone$/],
    ['all of them removed', (path) => rmSync(dirname(path), { recursive: true }), /^payments\.db is gone$/],
  ])('%s: every write is refused, and no file is made or changed', async (_name, disturb, why) => {
    const path = newPath();
    const { store, fault } = await open(path);
    await store.insert(paymentNumber(1));
    expect(fault).toHaveBeenLastCalledWith(undefined);
    disturb(path);
    const folder = [dirname(path), `${dirname(path)}.old`].find(existsSync);
    const before = folder && contentOf(folder);
    expect(await refusalOf(store.insert(paymentNumber(2)))).toMatch(why);
    expect(await refusalOf(store.update(paymentNumber(1)))).toMatch(why);
    expect(await refusalOf(store.check())).toMatch(why);
    expect(fault).toHaveBeenLastCalledWith(expect.stringMatching(why));
    expect(await store.find(paymentNumber(1).payment_id)).toStrictEqual(paymentNumber(1));
    expect(folder && contentOf(folder)).toEqual(before);
    expect(existsSync(dirname(path))).toBe(folder === dirname(path));
  });

  test('a copy in its place, in a folder that has its old time again: every write is refused', async () => {
    const path = newPath();
    const { store } = await open(path);
    await store.insert(paymentNumber(1));
    await delay(1100); // until only the time of the folder is looked at
    await store.insert(paymentNumber(2));
    const { atime, mtime } = statSync(dirname(path));
    replace(path);
    utimesSync(dirname(path), atime, mtime); // as cp -a and tar do
    expect(await refusalOf(store.insert(paymentNumber(3)))).toMatch(/^payments\.db is another file/);
  });

  test('a file that is put back is written again, and has what was written before and after', async () => {
    const path = newPath();
    const { store, fault } = await open(path);
    await store.insert(paymentNumber(1));
    renameSync(path, `${path}.old`);
    copyFileSync(`${path}.old`, path);
    await refusalOf(store.insert(paymentNumber(2)));
    renameSync(`${path}.old`, path);
    await store.check();
    await store.insert(paymentNumber(3));
    expect(fault).toHaveBeenLastCalledWith(undefined);
    await store.close();
    const { store: reopened } = await open(path);
    expect((await reopened.list(everything))?.payments).toStrictEqual([paymentNumber(3), paymentNumber(1)]);
  });

  test('a removed write-ahead log is not lost if the store is closed', async () => {
    const path = newPath();
    const { store } = await open(path);
    await store.insert(paymentNumber(1));
    rmSync(`${path}-wal`);
    await refusalOf(store.insert(paymentNumber(2)));
    await store.close();
    const { store: reopened } = await open(path);
    expect((await reopened.list(everything))?.payments).toStrictEqual([paymentNumber(1)]);
  });

  test('a link is followed to the file, and is watched, too', async () => {
    const [path, link] = [newPath(), join(directory, `${randomUUID()}.db`)];
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(path, link);
    const { store } = await open(link);
    await store.insert(paymentNumber(1));
    rmSync(link);
    await refusalOf(store.insert(paymentNumber(2)));
    symlinkSync(path, link);
    await store.insert(paymentNumber(2));
    rmSync(`${path}-wal`);
    await refusalOf(store.insert(paymentNumber(3)));
  });
});

describe('given damaged pages', () => {
  const customer_id = '123';

  /** A store whose trees have several pages each, all in the database file. */
  async function openGrown(events: EventRecording = 'webhooks'): Promise<{ path: string; store: Store }> {
    const path = newPath();
    const first = await openSqliteStore({ path, leaseMs, events: 'webhooks' });
    const all = Array.from({ length: 800 }, (_, number) =>
      paymentNumber(number, {
        customer_id,
        notification_status: number % 2 ? 'sent' : 'pending',
        created_at: new Date(1_760_000_000_000 + number).toISOString(),
        expires_at: new Date(1_760_086_400_000 + number).toISOString(),
      }),
    );
    await Promise.all(all.map((payment, number) => first.insert(payment, recordOf(`${number}`, payment))));
    await first.close();
    const { store } = await open(path, events);
    await store.check();
    const db = new DatabaseSync(path, { timeout: 5000 });
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    return { path, store };
  }

  /** The leaves of a table or an index, in their order. */
  function leavesOf(path: string, name: string): number[] {
    using db = new DatabaseSync(path, { readOnly: true });
    const leaves = db
      .prepare(`SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path`)
      .all(name) as { pageno: number }[];
    return leaves.map(({ pageno }) => pageno);
  }

  function damage(path: string, page: number, byte: number): void {
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(4096, byte), 0, 4096, (page - 1) * 4096);
    closeSync(file);
  }

  test.each([
    ['payments', 0],
    ['payments', 0xff],
    ['payments_by_status', 0],
    ['payments_by_status_and_customer', 0],
    ['payments_not_blanked', 0],
    ['payments_due', 0],
    ['idempotency_keys_by_payment', 0],
    ['idempotency_keys_by_age', 0],
    ['events', 0],
    ['sqlite_autoindex_events_1', 0],
    ['events_due', 0],
    ['events_pending', 0],
  ])('the last of %s, with %i in each byte: the check fails as a payment does', async (name, byte) => {
    const { path, store } = await openGrown();
    const leaves = leavesOf(path, name);
    expect(leaves.length).toBeGreaterThan(1);
    for (const leaf of leaves.slice(-2)) damage(path, leaf, byte);
    expect(await refusalOf(store.check())).toMatch(/malformed/);
    const made = {
      customer_id,
      created_at: new Date().toISOString(),
      expires_at: '2027-01-01T00:00:00.000Z',
    };
    const payment = { ...paymentNumber(1000, made), payment_id: `pmt_${'f'.repeat(32)}` };
    const sent: Payment = { ...payment, notification_status: 'sent' };
    const writing = store.insert(payment, recordOf('new', payment)).then(() => store.update(sent));
    expect(await refusalOf(writing)).toMatch(/malformed/);
  });

  test('the events, and none are recorded any more: the check succeeds as a payment does', async () => {
    const { path, store } = await openGrown('off');
    for (const leaf of leavesOf(path, 'events')) damage(path, leaf, 0);
    await store.check();
    await store.insert(paymentNumber(1000, { notification_status: 'held' }));
  });

  test('a page that a key has met, and a rehearsal does not meet: the check fails from then on', async () => {
    const { path, store } = await openGrown();
    const [first = 0] = leavesOf(path, 'idempotency_keys');
    damage(path, first, 0);
    await store.check();
    const payment = paymentNumber(1000);
    expect(await refusalOf(store.insert(payment, recordOf('0a', payment)))).toMatch(/malformed/);
    expect(await refusalOf(store.check())).toMatch(/malformed/);
  });

  test('a read of one is refused', async () => {
    const { path, store } = await openGrown();
    for (const leaf of leavesOf(path, 'payments')) damage(path, leaf, 0);
    await expect(store.list(everything)).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.find(paymentNumber(7).payment_id)).rejects.toBeInstanceOf(StoreUnavailable);
  });

  test('and none: the check leaves no payment, no key, no event, and as much in the log as a version that is set', async () => {
    const { path, store } = await openGrown();
    const before = [await store.list(everything), await store.backlog()];
    await store.check();
    const { length } = readFileSync(`${path}-wal`);
    expect(length).toBe(32 + 24 + 4096); // the header, and one page
    await store.check();
    expect(readFileSync(`${path}-wal`).length).toBe(length + 24 + 4096);
    expect([await store.list(everything), await store.backlog()]).toEqual(before);
    using db = new DatabaseSync(path, { readOnly: true });
    expect(db.prepare('SELECT count(*) AS count FROM idempotency_keys').get()).toMatchObject({ count: 800 });
    expect(db.prepare('SELECT count(*) AS count, max(number) AS number FROM events').get()).toMatchObject({
      count: 400,
      number: 400,
    });
  });
});

test.each([
  0o000, 0o022,
])("given the umask %i, the files and the folders made for them are their owner's alone", async (umask) => {
  const before = process.umask(umask);
  onTestFinished(() => void process.umask(before));
  const top = join(directory, randomUUID());
  const path = join(top, 'deep', 'payments.db');
  const { store } = await open(path);
  await store.insert(paymentNumber(1));
  const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);
  expect([top, dirname(path)].map(modeOf)).toEqual(['700', '700']);
  expect(readdirSync(dirname(path)).toSorted()).toEqual([
    'payments.db',
    'payments.db-shm',
    'payments.db-wal',
  ]);
  for (const name of readdirSync(dirname(path))) expect(modeOf(join(dirname(path), name)), name).toBe('600');

  const link = join(directory, `${randomUUID()}.db`);
  symlinkSync(join(top, 'linked.db'), link);
  await open(link);
  expect(['linked.db', 'linked.db-wal'].map((name) => modeOf(join(top, name)))).toEqual(['600', '600']);
});

test('each folder that is made for the database is synced into its parent', async () => {
  const synced: string[] = [];
  const sync = vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => {
    synced.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
  });
  syncBuiltinESMExports();
  onTestFinished(() => {
    sync.mockRestore();
    syncBuiltinESMExports();
  });
  const folder = join(directory, randomUUID());
  openWriter({ path: join(folder, 'deep', 'payments.db'), now: Date.now() }).close();
  expect(synced.toSorted()).toEqual([directory, folder]);
  openWriter({ path: join(folder, 'deep', 'payments.db'), now: Date.now() }).close();
  expect(synced).toHaveLength(2);
});
