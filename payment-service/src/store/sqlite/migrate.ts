import type { DatabaseSync } from 'node:sqlite';
import { measureText } from 'service-kit/contract/sms-text.ts';
import { readMigrations } from 'service-kit/migrations.ts';
import { z } from 'zod';
import { isPossibleDuplicate } from '../../domain/deliveries.ts';
import { type Attempt, attemptSchema } from '../../domain/payment.ts';

/** From schema version n to n+1 each. A migration that was released never changes. */
const migrations = readMigrations(new URL('./migrations/', import.meta.url));

/**
 * Migrates the database in one transaction; `PRAGMA user_version` counts the migrations that it has.
 *
 * @throws Error if the database is of a newer release
 */
export function migrateSqlite(db: DatabaseSync): void {
  db.function('sms_encoding', (text) => measureText(String(text)).encoding);
  db.function('sms_segments', (text) => measureText(String(text)).segments);
  db.function('is_possible_duplicate', (attempts) =>
    Number(isPossibleDuplicate(attemptsOf(String(attempts)))),
  );
  db.exec('BEGIN IMMEDIATE');
  try {
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) {
      throw new Error(
        `The database has schema version ${version}; this release supports versions up to ${migrations.length}.`,
      );
    }
    for (const migration of migrations.slice(version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** None if they cannot be read, as of a payment that another program has damaged. */
function attemptsOf(json: string): Attempt[] {
  try {
    return z.array(attemptSchema).parse(JSON.parse(json));
  } catch {
    return [];
  }
}
