import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { ConfigurationError } from './configuration.ts';
import { decodeFile } from './file-text.ts';

/** How a `.env` is written. Never with a value, because some are secrets. */
export interface EnvFile {
  /** In the order of the file; a name that is set twice is twice in it. */
  assignments: Assignment[];
  /** What sets nothing, and is neither blank nor a comment. */
  ignored: IgnoredLine[];
}

interface Assignment {
  name: string;
  /** From 1. */
  line: number;
  /** Its value begins with a quotation mark that is not closed on this line: another line may have been taken into it. */
  isOpen: boolean;
  /** Characters behind a closed quotation mark, or behind a # without a space before it, do not belong to the value. */
  isCut: boolean;
}

interface IgnoredLine {
  /** From 1. */
  line: number;
  /** The words of the line, which are not to be printed: each may be a secret. */
  words: string[];
}

/**
 * Loads a `.env` file into the environment, as process.loadEnvFile does: what is set there already stays. That function takes a
 * byte order mark for a part of the first name, and the line behind a value of spaces for that value; PowerShell writes UTF-16.
 *
 * @throws ConfigurationError if the file cannot be read
 */
export function loadEnvFile(env: NodeJS.ProcessEnv, path = '.env'): EnvFile {
  const text = readText(path).replaceAll('\r', '').replace(blankValue, '$1');
  for (const [name, value] of Object.entries(parseEnv(text))) env[name] ??= value;
  return examine(text);
}

const blankValue = /^([^#=\n]+=)[ \t]+$/gm;

/** As parseEnv reads it: a value in quotation marks may have several lines. */
const assignment = /^[ \t]*([^ \t#=\n][^=\n]*)?=[ \t]*("[^"]*"|'[^']*'|`[^`]*`)?([^\n]*)/gm;

function examine(text: string): EnvFile {
  const assignments: Assignment[] = [];
  // Without the assignments, of which the line feeds stay, the lines that are left set nothing.
  const rest = text.replace(assignment, (all, key = '', quoted = '', behind = '', at) => {
    const name = key.replace(/[ \t]+$/, '').replace(/^export [ \t]*/, '');
    if (!/^[\w.-]+$/.test(name)) return all;
    const line = text.slice(0, at).split('\n').length;
    assignments.push({
      name,
      line,
      isOpen: quoted.includes('\n') || (quoted === '' && /^["'`]/.test(behind)),
      isCut: quoted === '' ? /^[^"'`#][^#]*(?<![ \t])#/.test(behind) : /^[ \t]*[^ \t#]/.test(behind),
    });
    return '\n'.repeat(all.split('\n').length - 1);
  });
  const ignored = rest
    .split('\n')
    .map((content, index) => ({ content: content.trim(), line: index + 1 }))
    .filter(({ content }) => content !== '' && !content.startsWith('#'))
    .map(({ content, line }) => ({ line, words: content.match(/[\w.-]+/g) ?? [] }));
  return { assignments, ignored };
}

function readText(path: string): string {
  try {
    return decodeFile(readFileSync(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    throw new ConfigurationError(
      `${resolve(path)} cannot be read (${code}): make it a text file that this user may read, or remove it.`,
    );
  }
}
