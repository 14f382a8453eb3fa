import { readdirSync, readFileSync } from 'node:fs';

/**
 * The .sql files of a folder, in order: 001-….sql, 002-….sql. A database stores how many of them it has run, so a gap or a
 * number that comes twice throws instead of shifting those after it.
 */
export function readMigrations(folder: URL): string[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  return names.map((name, index) => {
    const number = String(index + 1).padStart(3, '0');
    if (!name.startsWith(`${number}-`))
      throw new Error(`migration ${number} is missing: ${name} is in its place`);
    return readFileSync(new URL(name, folder), 'utf8');
  });
}
