import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { makePrivateFile, makePrivateFolder } from 'service-kit/private-files.ts';

/**
 * Makes the folder and the file of a database where they do not exist, and checks that this process may write them: the folder,
 * too, because SQLite makes its -wal and -shm there. A file of another kind would be refused by SQLite, without its name.
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
  if (!isDatabase(file))
    throw new Error(
      `the file ${file} is not a SQLite database, or its beginning is damaged: set DATABASE_URL to another path, or restore a backup`,
    );
}

/** Empty, or with the header of SQLite (https://www.sqlite.org/fileformat.html). What is no file is left to SQLite. */
function isDatabase(file: string): boolean {
  if (!statSync(file).isFile()) return true;
  const header = Buffer.alloc(16);
  const descriptor = openSync(file, 'r');
  try {
    const length = readSync(descriptor, header);
    return length === 0 || header.toString('latin1') === 'SQLite format 3\0';
  } finally {
    closeSync(descriptor);
  }
}
