import { realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** How long after a change in the folder its time says nothing about another one, in ms: file systems count in ticks. */
const coarseMs = 1000;

/**
 * Watches the files of a database that is open. A file that was removed, renamed or replaced stays open, and takes commits that
 * are gone with this process. Without its -shm other programs do not see this one's locks, and would remove the -wal.
 *
 * Returns a function that returns what is wrong now; undefined if each path has the file that was opened. It looks at the folder
 * first, whose time of change cannot be set and moves with each name in it, because each stat takes 9 µs and a payment alone in its commits needs four.
 */
export function watchFiles(path: string): () => string | undefined {
  const real = realpathSync(path); // SQLite puts the others beside the file that a link leads to
  const opened = [path, `${real}-wal`, `${real}-shm`].map((file) => ({ file, identity: identityOf(file) }));
  const hasChanged = [...new Set([dirname(path), dirname(real)])].map(watchFolder);

  function findFault(): string | undefined {
    for (const { file, identity } of opened) {
      const current = identityOf(file);
      if (current !== identity) return `${basename(file)} ${current}`;
    }
    return undefined;
  }

  let fault: string | undefined;
  return () => {
    const changes = hasChanged.filter((changed) => changed());
    if (fault !== undefined || changes.length > 0) fault = findFault();
    return fault;
  };
}

/** Whether names in the folder may have changed since the last call. */
function watchFolder(folder: string): () => boolean {
  let known = { dev: 0, ino: 0, ctimeMs: 0 };
  let changedAt = performance.now();
  return () => {
    const { dev, ino, ctimeMs } = statSync(folder, { throwIfNoEntry: false }) ?? {
      dev: 0,
      ino: 0,
      ctimeMs: 0,
    };
    if (ctimeMs !== known.ctimeMs || ino !== known.ino || dev !== known.dev) {
      known = { dev, ino, ctimeMs };
      changedAt = performance.now();
    }
    return performance.now() - changedAt < coarseMs;
  };
}

/** The device and inode, or a sentence about the file. */
function identityOf(file: string): string {
  try {
    const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stats ? `is another file (${stats.dev}:${stats.ino})` : 'is gone';
  } catch (error) {
    return `cannot be accessed (${(error as NodeJS.ErrnoException).code})`;
  }
}
