import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Files with phones and texts in them are their owner's alone, whatever the umask is. */

const ownerOnly = 0o600;

/**
 * Makes the folder and those above it that do not exist, and syncs each into its parent: the sync of a file in it would not
 * survive the loss of the folder's own name. A folder that exists is left as it is.
 */
export function makePrivateFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  // One by one, because the recursive mkdir of Node.js 26 never returns for a path in a file system such as /proc.
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      if (!existsSync(folder)) throw error; // else another process was faster
    }
    syncFolder(dirname(folder));
  }
}

/**
 * Creates an empty file unless there is one. One that exists is not opened: closing it would end the locks that this process
 * has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
export function makePrivateFile(path: string): void {
  if (existsSync(path)) return;
  closeSync(openSync(path, 'a', ownerOnly)); // not exclusively, so that it follows a link to a file that does not exist yet
}

/** Takes the rights of others on a file. Returns why it could not, such as that it belongs to another user. */
export function takeFromOthers(path: string): Error | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() && (stats.mode & 0o077) !== 0) chmodSync(path, ownerOnly);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
