import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { expect, onTestFinished, test } from 'vitest';
import { faultOf } from '../../src/delivery/store-fault.ts';
import { CommitUnknown, StoreUnavailable } from '../../src/store/store.ts';

const unavailable = (cause: unknown) => new StoreUnavailable('the store does not answer', { cause });

/** What SQLite throws, as it arrives from the thread that writes. */
function errorOf(provoke: (path: string) => void): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'store-fault-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  try {
    provoke(join(folder, 'payments.db'));
  } catch (error) {
    return structuredClone(error);
  }
  throw new Error('nothing was provoked');
}

test.each<[fault: string, provoke: (path: string) => void]>([
  [
    'disk_full',
    (path) => {
      using db = new DatabaseSync(path);
      db.exec('PRAGMA max_page_count = 2; CREATE TABLE one (x); CREATE TABLE two (x);');
    },
  ],
  [
    'read_only',
    (path) => {
      new DatabaseSync(path).exec('CREATE TABLE one (x)');
      using db = new DatabaseSync(path, { readOnly: true });
      db.exec('CREATE TABLE two (x)');
    },
  ],
  [
    'locked',
    (path) => {
      using first = new DatabaseSync(path);
      using second = new DatabaseSync(path);
      first.exec('BEGIN EXCLUSIVE');
      second.exec('BEGIN EXCLUSIVE');
    },
  ],
  ['files_missing', (path) => void new DatabaseSync(`${path}/none.db`)],
])('given an error of SQLite, finds the fault %s', (fault, provoke) => {
  expect(faultOf(unavailable(errorOf(provoke)))).toBe(fault);
});

test.each([
  ['disk_full', { message: 'could not extend file', code: '53100', severity: 'ERROR' }],
  ['read_only', { message: 'cannot execute INSERT', code: '25006', severity: 'ERROR' }],
  ['too_many_connections', { message: 'sorry, too many clients', code: '53300', severity: 'FATAL' }],
  [
    'access_denied',
    { message: 'password authentication failed for user "ana"', code: '28P01', severity: 'FATAL' },
  ],
  ['unreachable', { message: 'connect ECONNREFUSED 127.0.0.1:5432', code: 'ECONNREFUSED' }],
  ['unreachable', { message: 'terminating connection', code: '57P01', severity: 'FATAL' }],
  ['unreachable', { message: 'the database did not answer in time' }],
  ['unknown', { message: 'syntax error', code: '42601', severity: 'ERROR' }],
])('given an error of PostgreSQL, finds the fault %s', (fault, error) => {
  expect(faultOf(unavailable(new DatabaseError(error, false)))).toBe(fault);
});

test.each([
  ['files_missing', new Error('payments.db-wal is gone')],
  ['files_missing', new Error('payments.db is another file (1:2)')],
  ['damaged', new Error('database disk image is malformed')],
  ['clock_differs', undefined],
])('given what the store says of itself, finds the fault %s', (fault, cause) => {
  const error = cause
    ? unavailable(cause)
    : new StoreUnavailable("the clock is 9000 ms behind the database's");
  expect(faultOf(error)).toBe(fault);
});

test.each([
  new CommitUnknown('the writer thread of the store has ended'),
  new TypeError('undefined is not a function'),
  'text',
])('given an error without a known cause, the fault is unknown', (error) => {
  expect(faultOf(error)).toBe('unknown');
});
