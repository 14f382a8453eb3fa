import { accessSync, constants, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { makePrivateFile, makePrivateFolder } from 'service-kit/private-files.ts';

/**
 * Makes the folder and the file of a database where they do not exist, and checks that this process may write them: the folder,
 * too, because SQLite makes its -wal and -shm there.
 *
 * @throws Error that names the path and the remedy
 */
export function checkWritable(path: string): void {
  const file = resolve(path);
  try {
    makePrivateFolder(dirname(file));
    makePrivateFile(file); // SQLite gives its -wal and -shm the mode of the file
    accessSync(file, constants.R_OK | constants.W_OK);
    accessSync(dirname(realpathSync(file)), constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code, path: refused } = cause as NodeJS.ErrnoException;
    throw new Error(
      `the database ${file} cannot be written (${code} at ${refused}): give this user the right to write there, or set DATABASE_URL to another path`,
      { cause },
    );
  }
}
