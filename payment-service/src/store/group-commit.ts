import type { DatabaseSync } from 'node:sqlite';

export interface GroupCommit {
  /** Runs the statements in a transaction that it may share with others; resolves when it is on disk. */
  write(statements: () => void): Promise<void>;
  /** Resolves when everything that was given so far is on disk. */
  drain(): Promise<void>;
}

interface Write {
  statements: () => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Writes that arrive together share one transaction, and so one wait for the disk, which costs far more than the
 * statements. While the disk works the next ones gather by themselves.
 */
export function createGroupCommit(db: DatabaseSync): GroupCommit {
  let queue: Write[] = [];

  function flush(): void {
    const group = queue;
    queue = [];
    try {
      commit(db, group);
      for (const { resolve } of group) resolve();
    } catch (error) {
      if (group.length === 1 || !isConstraint(error)) {
        for (const { reject } of group) reject(error);
        return;
      }
      // One bad write must not take the others down with it: each gets a transaction of its own. Of any other error,
      // such as a lock or a full disk, each would only wait and fail again.
      for (const write of group) {
        try {
          commit(db, [write]);
          write.resolve();
        } catch (reason) {
          write.reject(reason);
        }
      }
    }
  }

  return {
    write(statements) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      if (queue.push({ statements, resolve, reject }) === 1) setImmediate(flush);
      return promise;
    },
    async drain() {
      if (queue.length > 0) flush();
    },
  };
}

/** SQLITE_CONSTRAINT, with or without what kind of it (https://www.sqlite.org/rescode.html). */
const isConstraint = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) % 256 === 19;

function commit(db: DatabaseSync, group: Write[]): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const { statements } of group) statements();
    db.exec('COMMIT');
  } catch (error) {
    // SQLite has already rolled back after some errors, such as a full disk.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
