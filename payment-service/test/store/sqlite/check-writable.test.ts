import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { checkWritable } from '../../../src/store/sqlite/check-writable.ts';

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'writable-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const remedy = 'give this user the right to write there, or set DATABASE_URL to another path';

test('given a path without its folder, makes folder and file for their owner alone', async () => {
  const path = join(await emptyFolder(), 'data/of/payments.db');
  checkWritable(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('given a link to a database elsewhere, accepts it and makes nothing beside the link', async () => {
  const folder = await emptyFolder();
  await mkdir(join(folder, 'real'));
  await symlink('real/payments.db', join(folder, 'link.db'));
  checkWritable(join(folder, 'link.db'));
  expect(await readdir(join(folder, 'real'))).toEqual(['payments.db']);
});

test('given a file in place of the folder, names path and remedy', async () => {
  const folder = await emptyFolder();
  await writeFile(join(folder, 'data'), '');
  const path = join(folder, 'data/payments.db');
  expect(() => checkWritable(path)).toThrow(
    `the database ${path} cannot be written (ENOTDIR at ${path}): ${remedy}`,
  );
});

test('given a folder where nothing can be made, names path and remedy', () => {
  expect(() => checkWritable('/proc/data/payments.db')).toThrow(remedy);
});

test('given a folder that this user may not write, names it', async () => {
  const folder = await emptyFolder();
  await mkdir(join(folder, 'data'), { mode: 0o500 });
  const check = () => checkWritable(join(folder, 'data/payments.db'));
  expect(await withoutPrivileges(check, [folder, join(folder, 'data')])).toThrow(`EACCES at ${folder}/data`);
});

/** Root may write everywhere, so that it runs the function as another user, who gets these folders. */
async function withoutPrivileges(work: () => void, folders: string[]): Promise<() => void> {
  if (process.getuid?.() !== 0) return work;
  const user = 65_534;
  for (const folder of folders) await chown(folder, user, user);
  return () => {
    process.seteuid?.(user);
    try {
      work();
    } finally {
      process.seteuid?.(0);
    }
  };
}

test('given a file of another kind, names it and the remedy, and leaves it as it is', async () => {
  const path = join(await emptyFolder(), 'notes.txt');
  await writeFile(path, 'hello');
  expect(() => checkWritable(path)).toThrow(
    `the file ${path} is not a SQLite database, or its beginning is damaged: set DATABASE_URL to another path, or restore a backup`,
  );
  expect(await readFile(path, 'utf8')).toBe('hello');
});
