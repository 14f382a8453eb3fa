import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { rowsOf } from 'service-kit/postgres/rows.ts';
import { migrateSchema } from '../postgres/schema.ts';
import { migrateSqlite } from '../sqlite/migrate.ts';
import { type CopiedGroup, copiedGroups } from './copied-tables.ts';
import { type Count, type CountsRow, compareCounts, countSql } from './copy-counts.ts';

/** How long the source is waited for while somebody else writes to it, in ms. */
const busyTimeoutMs = 5000;

export interface CopyProgress {
  table: string;
  /** Rows that the target has, those of earlier runs among them. */
  copied: number;
  total: number;
}

export interface CopyOptions {
  /** Of the SQLite database. */
  path: string;
  /** Of the PostgreSQL database. */
  url: string;
  /** So many payments, keys or customers are read and committed at once. */
  batchSize?: number;
  /** Told of each table that is begun, and of each batch that was committed. What it throws ends the copy. */
  report?: (progress: CopyProgress) => void;
}

/** The rows of a table that the target has, and the greatest key among them. */
interface Copied {
  count: number;
  last: string | null;
}

/**
 * Copies all that a SQLite store keeps into PostgreSQL, and goes on where an earlier run was interrupted. Returns how much of
 * what both have in the end: the copy is whole if nothing differs.
 *
 * The schemas of both are brought up to date. The source is locked until the end: whoever still runs on it can not write,
 * and what it would have written is not missing here. Leases are copied as they are; they run out.
 *
 * @throws Error if there is no such source, it is in use, or the target has what it has not
 * @throws DatabaseError if the target does not take it
 */
export async function copySqliteToPostgres({
  path,
  url,
  batchSize = 1000,
  report = () => {},
}: CopyOptions): Promise<Count[]> {
  using source = openSource(path);
  await migrateSchema(url);
  await using target = await openTarget(url);

  // All of them before the first row is copied: a wrong target stays as it is.
  const begun: [CopiedGroup, Copied][] = [];
  for (const group of copiedGroups) begun.push([group, await findCopied(group)]);
  for (const [group, copied] of begun) await copy(group, copied);
  const [counts] = await target.query<CountsRow>(countSql);
  return compareCounts(source.prepare(countSql).get() as CountsRow, counts as CountsRow);

  /** Rows are copied in the order of their keys, so those up to the greatest one in the target are there. */
  async function findCopied({ key, tables: [{ name }] }: CopiedGroup): Promise<Copied> {
    const sql = `SELECT CAST(count(*) AS integer) AS count, max(${key}) AS last FROM ${name}`;
    const [copied] = (await target.query<Copied>(sql)) as [Copied];
    const same = source.prepare(`${sql} WHERE ${key} <= ?`).get(copied.last ?? '') as unknown as Copied;
    if (copied.count !== same.count || copied.last !== same.last)
      throw new Error(
        `the PostgreSQL database has ${name} that the SQLite database has not: is it in use already?`,
      );
    return copied;
  }

  async function copy({ key, tables }: CopiedGroup, { count, last }: Copied): Promise<void> {
    const [{ name: table }] = tables;
    const inserts = tables.map(({ name, columns, convert }) => {
      const given = rowsOf(columns);
      const names = given.names.join(', ');
      const select = source.prepare(`SELECT ${names} FROM ${name} WHERE ${key} > ? AND ${key} <= ?`);
      return {
        text: `INSERT INTO ${name} (${names}) SELECT ${names} FROM ${given.sql}`,
        values: (after: string, upTo: string) => given.values(select.all(after, upTo).map(convert)),
      };
    });
    const nextBatch = source.prepare(`
      SELECT count(*) AS count, max(${key}) AS last
      FROM (SELECT ${key} FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ?)`);
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

/** Closing it ends the transaction that locks it, in which nothing is written. */
function openSource(path: string): DatabaseSync {
  if (!existsSync(path)) throw new Error(`there is no database at ${path}`);
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

/** Not of the pool, whose statements have a time limit: to count many rows takes longer. */
async function openTarget(url: string) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000, keepAlive: true });
  client.on('error', () => {}); // the statement that it befalls rejects
  const guard = async <T>(operation: Promise<T>) =>
    operation.catch((error: unknown) => {
      throw new DatabaseError(error, true);
    });
  await guard(client.connect());
  return {
    query: async <Row>(text: string, values: unknown[] = []) =>
      (await guard(client.query(text, values))).rows as Row[],
    [Symbol.asyncDispose]: () => client.end().catch(() => {}), // it ends the transaction, if there still is one
  };
}
