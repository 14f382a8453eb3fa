import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { settingPages } from './setting-pages.ts';

/** `npm run docs:configuration`: writes what the schemas of the settings say into the pages that list them. */
const root = join(import.meta.dirname, '..');
for (const [path, text] of Object.entries(settingPages())) {
  const before = await readFile(join(root, path), 'utf8').catch(() => undefined);
  if (text === before) continue;
  await writeFile(join(root, path), text);
  process.stdout.write(`wrote ${path}\n`);
}
