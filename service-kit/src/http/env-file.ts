import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { ConfigurationError } from './configuration.ts';

/**
 * Loads a `.env` file into the environment, as process.loadEnvFile does: what is set there already stays. That function takes a
 * byte order mark for a part of the first name, and PowerShell writes UTF-16.
 *
 * @returns the names in the file; none if there is no file
 * @throws ConfigurationError if the file cannot be read
 */
export function loadEnvFile(env: NodeJS.ProcessEnv, path = '.env'): string[] {
  const variables = parseEnv(readText(path));
  for (const [name, value] of Object.entries(variables)) env[name] ??= value;
  return Object.keys(variables);
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    return new TextDecoder(encodingOf(bytes)).decode(bytes); // without the byte order mark
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    throw new ConfigurationError(
      `${resolve(path)} cannot be read (${code}): make it a text file that this user may read, or remove it.`,
    );
  }
}

function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}
