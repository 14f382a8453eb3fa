import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { readMigrations } from '../src/migrations.ts';

function folderOf(...names: string[]): URL {
  const folder = mkdtempSync(join(tmpdir(), 'migrations-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of names) writeFileSync(join(folder, name), `-- ${name}\n`);
  return pathToFileURL(`${folder}/`);
}

test('migrations are the .sql files of a folder, in the order of their numbers', () => {
  const folder = folderOf(
    '010-j.sql',
    '002-b.sql',
    '001-a.sql',
    ...[3, 4, 5, 6, 7, 8, 9].map((n) => `00${n}-x.sql`),
  );
  writeFileSync(new URL('README.md', folder), '');
  const migrations = readMigrations(folder);
  expect(migrations).toHaveLength(10);
  expect([migrations[0], migrations[1], migrations[9]]).toEqual([
    '-- 001-a.sql\n',
    '-- 002-b.sql\n',
    '-- 010-j.sql\n',
  ]);
});

test.each([
  ['a gap', ['001-a.sql', '003-c.sql'], 'migration 002 is missing: 003-c.sql is in its place'],
  [
    'a number that comes twice',
    ['001-a.sql', '001-b.sql'],
    'migration 002 is missing: 001-b.sql is in its place',
  ],
  ['another first number', ['000-a.sql'], 'migration 001 is missing: 000-a.sql is in its place'],
])('given %s, throws', (_what, names, message) => {
  expect(() => readMigrations(folderOf(...names))).toThrow(message);
});
