import type { DatabaseSync } from 'node:sqlite';
import { packed } from './packed.ts';

/** What became of a write: what it returned, or why nothing of it has happened. */
export type Outcome<T> = { result: T } | { error: unknown };

/**
 * Carries writes out in their order, in one transaction, and so with one wait for the disk, which costs far more than the
 * statements. They are on disk when it returns.
 */
export function commitGroup<T>(db: DatabaseSync, group: (() => T)[]): Outcome<T>[] {
  try {
    return packed(commit(db, group), (result) => ({ result }));
  } catch (error) {
    // One bad write must not take the others down with it: each gets a transaction of its own. Of any other error, such as
    // a lock or a full disk, each would only wait and fail again.
    if (group.length > 1 && isConstraint(error)) return group.flatMap((write) => commitGroup(db, [write]));
    return group.map(() => ({ error }));
  }
}

/** SQLITE_CONSTRAINT, with or without what kind of it (https://www.sqlite.org/rescode.html). */
const isConstraint = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) % 256 === 19;

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
