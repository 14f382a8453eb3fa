import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { migratePostgres } from 'service-kit/postgres/migrate.ts';
import { rowsOf } from 'service-kit/postgres/rows.ts';
import { openSession } from 'service-kit/postgres/session.ts';
import { takeFromOthers } from 'service-kit/private-files.ts';
import { schema } from '../postgres/schema.ts';
import { migrateSqlite } from '../sqlite/migrate.ts';
import { type CopiedGroup, continueNumbersSql, copiedGroups, highestNumberSql } from './copied-tables.ts';
import { type Count, type CountsRow, compareCounts, countSql } from './copy-counts.ts';
import { refuseUnreadable } from './unreadable-rows.ts';

/** The limit of the wait for a process that writes to the source, in ms. */
const busyTimeoutMs = 5000;

export interface CopyProgress {
  table: string;
  /** Rows in the target, those of earlier runs included. */
  copied: number;
  total: number;
}

export interface CopyOptions {
  /** The path of the SQLite database. */
  path: string;
  /** The URL of the PostgreSQL database. */
  url: string;
  /** The number of payments, keys or customers per transaction. */
  batchSize?: number;
  /** Called at the start of each table and after each committed batch. If it throws, the copy ends. */
  report?: (progress: CopyProgress) => void;
}

/** The number of rows of a table in the target, and the greatest key among them. */
interface Copied {
  count: number;
  last: string | null;
}

/**
 * Copies a SQLite store to PostgreSQL, and resumes where an earlier run was interrupted. Returns the counts of both: the copy is
 * complete if they are equal.
 *
 * Both schemas are migrated first. The source is locked until the end, so that a service that still runs on it cannot write
 * what the copy would miss. Leases are copied unchanged, because they expire.
 *
 * @throws Error if the source does not exist, is in use or has a payment that cannot be read, or the target has rows that the
 *   source has not
 * @throws DatabaseError if a statement on the target fails
 */
export async function copySqliteToPostgres({
  path,
  url,
  batchSize = 1000,
  report = () => {},
}: CopyOptions): Promise<Count[]> {
  using source = openSource(path);
  refuseUnreadable(source);
  await migratePostgres(url, schema);
  await using target = await openTarget(url);

  // All groups are checked before the first row is copied, so that a wrong target stays unchanged.
  const begun: [CopiedGroup, Copied][] = [];
  for (const group of copiedGroups) begun.push([group, await findCopied(group)]);
  for (const [group, copied] of begun) await copy(group, copied);
  const { number } = source.prepare(highestNumberSql).get() as { number: number };
  await target.query(continueNumbersSql, [number]);
  const [counts] = await target.query<CountsRow>(countSql);
  return compareCounts(source.prepare(countSql).get() as CountsRow, counts as CountsRow);

  /** Rows are copied in the order of their keys, so the target has all rows up to its greatest key. */
  async function findCopied({ key, tables: [{ name }] }: CopiedGroup): Promise<Copied> {
    const sql = `SELECT CAST(count(*) AS integer) AS count, max(${key}) AS last FROM ${name}`;
    const [copied] = (await target.query<Copied>(sql)) as [Copied];
    const same = source.prepare(`${sql} WHERE ${key} <= ?`).get(copied.last ?? '') as unknown as Copied;
    if (copied.count !== same.count || copied.last !== same.last)
      throw new Error(
        `the PostgreSQL database has ${name} that the SQLite database does not have: is it already in use?`,
      );
    return copied;
  }

  async function copy({ key, tables }: CopiedGroup, { count, last }: Copied): Promise<void> {
    const [{ name: table }] = tables;
    const inserts = tables.map(({ name, source: from = name, columns, convert }) => {
      const given = rowsOf(columns);
      const names = given.names.join(', ');
      const select = source.prepare(`SELECT ${names} FROM ${from} WHERE ${key} > ? AND ${key} <= ?`);
      return {
        text: `INSERT INTO ${name} (${names}) SELECT ${names} FROM ${given.sql}`,
        values: (after: string, upTo: string) => given.values(select.all(after, upTo).map(convert)),
      };
    });
    const nextBatch = source.prepare(`
      SELECT count(*) AS count, max(key) AS last
      FROM (SELECT ${key} AS key FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ?)`);
    const { total } = source.prepare(`SELECT count(*) AS total FROM ${table}`).get() as { total: number };
    let after = last ?? '';
    let copied = count;
    report({ table, copied, total });
    for (;;) {
      const batch = nextBatch.get(after, batchSize) as unknown as Copied;
      if (batch.last === null) return;
      await target.query('BEGIN');
      for (const { text, values } of inserts) await target.query(text, values(after, batch.last));
      await target.query('COMMIT');
      after = batch.last;
      copied += batch.count;
      report({ table, copied, total });
    }
  }
}

/** Opens and locks the source by a transaction that writes nothing; closing the source ends it. */
function openSource(path: string): DatabaseSync {
  if (!existsSync(path)) throw new Error(`there is no database at ${path}`);
  takeFromOthers(path); // SQLite gives its -wal and -shm the mode of the file
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version === 0) throw new Error(`${path} is not a database of payment-service`);
    migrateSqlite(db);
    db.exec('BEGIN IMMEDIATE');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A connection of its own, because statements of the pool have a time limit, and counting many rows takes longer. */
async function openTarget(url: string) {
  const guard = async <T>(operation: Promise<T>) =>
    operation.catch((error: unknown) => {
      throw new DatabaseError(error, true);
    });
  const session = await guard(openSession(url));
  return {
    query: async <Row>(text: string, values: unknown[] = []) =>
      (await guard(session.query(text, values))).rows as Row[],
    [Symbol.asyncDispose]: () => session.end(), // also ends an open transaction
  };
}
