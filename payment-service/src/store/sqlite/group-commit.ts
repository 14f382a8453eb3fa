import type { DatabaseSync } from 'node:sqlite';

/** The result of a write, or the error that left it without an effect. */
export type WriteResult<T> = { result: T } | { error: unknown };

/**
 * Carries out writes in their order in one transaction, so that they share one sync of the disk, which takes far longer than
 * their statements. They are on disk when it returns.
 */
export function commitGroup<T>(db: DatabaseSync, group: (() => T)[]): WriteResult<T>[] {
  try {
    return commit(db, group).map((result) => ({ result }));
  } catch (error) {
    // After an error that one write has caused, each gets a transaction of its own, so that it does not fail the others. After
    // any other error, such as a lock or a full disk, each would only wait and fail again.
    if (group.length > 1 && isOfOneWrite(error)) return group.flatMap((write) => commitGroup(db, [write]));
    return group.map(() => ({ error }));
  }
}

/**
 * SQLITE_CONSTRAINT, with or without its extended code (https://www.sqlite.org/rescode.html), or an error that is not SQLite's,
 * such as that of an integer beyond 2^53-1.
 */
function isOfOneWrite(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined || errcode % 256 === 19;
}

function commit<T>(db: DatabaseSync, group: (() => T)[]): T[] {
  db.exec('BEGIN IMMEDIATE');
  try {
    const results = group.map((write) => write());
    db.exec('COMMIT');
    return results;
  } catch (error) {
    // SQLite has already rolled back after some errors, such as a full disk.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
