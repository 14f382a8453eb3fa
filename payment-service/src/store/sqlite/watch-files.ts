import { realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * Watches the files of a database that is open. A file that was removed, renamed or replaced stays open, and takes commits that
 * are gone with this process. Without its -shm other programs do not see this one's locks, and would remove the -wal.
 *
 * Returns a function that returns what is wrong now; undefined if each path has the file that was opened. It takes 4 to 12 µs.
 */
export function watchFiles(path: string): () => string | undefined {
  const real = realpathSync(path); // SQLite puts the others beside the file that a link leads to
  const opened = [path, `${real}-wal`, `${real}-shm`].map((file) => ({ file, identity: identityOf(file) }));
  return () => {
    for (const { file, identity } of opened) {
      const current = identityOf(file);
      if (current !== identity) return `${basename(file)} ${current}`;
    }
    return undefined;
  };
}

/** The device and inode, or a sentence about the file. */
function identityOf(file: string): string {
  try {
    const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stats ? `is another file (${stats.dev}:${stats.ino})` : 'is gone';
  } catch (error) {
    return `can not be looked at (${(error as NodeJS.ErrnoException).code})`;
  }
}
