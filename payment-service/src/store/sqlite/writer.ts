import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { commitGroup, type Outcome } from './group-commit.ts';
import { migrate } from './migrations.ts';
import { prepareWrites, type Write } from './writes.ts';

/**
 * How long a transaction waits for another process that holds the database, in ms. Only writes wait for it. Two groups of
 * them may be ahead of one: it is refused within three times that, the 3 s that a readiness check is given.
 */
const busyTimeoutMs = 1000;

export interface WriterOptions {
  path: string;
  /** When the leases end that whoever had the database before has left, in ms since the epoch. */
  now: number;
}

export interface Writer {
  /** Carries the writes out in their order, and says of each what became of it. */
  commit(group: Write[]): Outcome<unknown>[];
  /** Empties the write-ahead log; false if it could not, because another process reads it, such as a backup. */
  emptyLog(): Outcome<boolean>;
  close(): void;
}

/** Opens the database for writing, makes it if it is not there, and brings its schema up to date. It blocks: it is a thread's. */
export function openWriter({ path, now }: WriterOptions): Writer {
  mkdirSync(dirname(path), { recursive: true });
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    // What is blanked or forgotten is written over, and not only set free. Not FAST, which spares the pages that a long
    // text takes. Where a page was split, a copy may stay in its gap until a VACUUM: it holds up everything, and is the
    // operator's to run.
    db.exec('PRAGMA secure_delete = ON');
    migrate(db);
    const writes = prepareWrites(db);
    const emptyLog = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
    // The database is one process's own: whoever held a lease is gone.
    writes.endLeases(now);
    const carryOut = ({ name, args }: Write) => (writes[name] as (...args: unknown[]) => unknown)(...args);
    return {
      commit: (group) =>
        commitGroup(
          db,
          group.map((write) => () => carryOut(write)),
        ),
      emptyLog() {
        try {
          return { result: (emptyLog.get() as { busy: number }).busy === 0 };
        } catch (error) {
          return { error };
        }
      },
      close: () => db.close(),
    };
  } catch (error) {
    db.close(); // it will be tried again, and again
    throw error;
  }
}
