import { DatabaseSync } from 'node:sqlite';
import type { EventRecording } from '../events.ts';
import { ownersWhere } from '../owner.ts';
import { checkWritable } from './check-writable.ts';
import { watchDamage } from './damage.ts';
import { eventRows } from './event-rows.ts';
import { commitGroup, type WriteResult } from './group-commit.ts';
import { migrateSqlite } from './migrate.ts';
import { prepareRehearsal } from './rehearsal.ts';
import { watchFiles } from './watch-files.ts';
import { prepareWrites, type Write } from './writes.ts';

/**
 * How long a transaction waits for another process that holds the database, in ms. Only writes wait for it. Two groups may be
 * ahead of a write, so it fails within three times this: the 3 s that a readiness check has.
 */
const busyTimeoutMs = 1000;

export interface WriterOptions {
  path: string;
  /** When the leases of an earlier process end, in ms since the epoch. */
  now: number;
  /** Default: off. */
  events?: EventRecording;
  /** Default: false. */
  clientsIsolated?: boolean;
}

/** The results of a group, and what is wrong with the files of the database. */
export interface Committed {
  results: WriteResult<unknown>[];
  fault: string | undefined;
}

export interface Writer {
  /**
   * Carries out the writes in their order, unless the files of the database are not at their paths any more. `touch` succeeds
   * only if a payment could be written, too. A file that is removed during the commit is found by the next one: what was
   * committed a moment before is gone as well then.
   */
  commit(group: Write[]): Committed;
  /** Empties the write-ahead log; false if it could not because another process reads it, such as a backup. */
  emptyLog(): WriteResult<boolean>;
  close(): void;
}

/** Opens the database for writing, creates it if there is none, and migrates its schema. It blocks its thread. */
export function openWriter({ path, now, events = 'off', clientsIsolated = false }: WriterOptions): Writer {
  checkWritable(path);
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    // Redacted and deleted content is overwritten, not only freed. FAST would spare the overflow pages of a long text. A copy
    // may remain in the gap of a page that was split, until a VACUUM; that blocks every write, so the operator runs it.
    db.exec('PRAGMA secure_delete = ON');
    migrateSqlite(db);
    const rowsOfEvents = eventRows(events);
    const writes = prepareWrites(db, rowsOfEvents, ownersWhere(clientsIsolated));
    const emptyLog = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
    // Only one process uses the database, so that every lease is of a process that has ended.
    writes.endLeases(now);
    const carryOut = ({ name, args }: Write) => (writes[name] as (...args: unknown[]) => unknown)(...args);
    const damage = watchDamage(prepareRehearsal(db, writes, rowsOfEvents));
    const findFault = watchFiles(path);
    return {
      commit(group) {
        const fault = findFault();
        if (fault) return { results: group.map(() => ({ error: new Error(fault) })), fault };
        const written = commitGroup(
          db,
          group.map((write) => () => carryOut(write)),
        );
        damage.note(written);
        const found = group.some(isCheck) ? damage.find() : undefined;
        return {
          results: found ? written.map((result, index) => (isCheck(group[index]) ? found : result)) : written,
          fault: undefined,
        };
      },
      emptyLog() {
        const fault = findFault();
        if (fault) return { error: new Error(fault) };
        try {
          return { result: (emptyLog.get() as { busy: number }).busy === 0 };
        } catch (error) {
          return { error };
        }
      },
      close: () => db.close(),
    };
  } catch (error) {
    db.close(); // reopening-store.ts tries again
    throw error;
  }
}

const isCheck = (write: Write | undefined) => write?.name === 'touch';
