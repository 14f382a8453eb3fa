import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, parse, resolve } from 'node:path';
import { z } from 'zod';
import { decodeFile } from './file-text.ts';

/**
 * Secrets from files, as Docker and Kubernetes mount them. Each setting whose schema has `.meta({ secret: true })` may be given by
 * `NAME_FILE` instead of `NAME`: a path, whose content without the line end behind it is the value. It is read once.
 */
export const fileSetting = (secret: string): string => `${secret}_FILE`;

/** In bytes. No secret comes near it; a path that is wrong may name anything. */
const maxSize = 65_536;

interface SecretFault {
  /** The name of the setting, without `_FILE`. */
  secret: string;
  /** In words, with the path, and with nothing of the content. */
  fault: string;
}

/** The names of the settings of a schema that are secrets. */
export const secretsOf = (schema: z.ZodType): string[] => metadataOfSecrets(schema).map(({ name }) => name);

/** The values of the secrets that are in files, and what is wrong with the other files. */
export function readSecretFiles(schema: z.ZodType, env: Record<string, string | undefined>) {
  const values: Record<string, string> = {};
  const faults: SecretFault[] = [];
  for (const { name: secret, lines } of metadataOfSecrets(schema)) {
    const path = env[fileSetting(secret)];
    if (!path) continue;
    if (env[secret])
      faults.push({
        secret,
        fault: `must not be set together with ${secret}: remove one, or set it to nothing`,
      });
    else {
      const read = readSecret(path, { lines });
      if ('fault' in read) faults.push({ secret, fault: explain(path, read.fault) });
      else values[secret] = read.text;
    }
  }
  return { values, faults };
}

/** `lines`: an entry of the value may have a line of its own. */
function metadataOfSecrets(schema: z.ZodType): { name: string; lines: boolean }[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>)
    .map(([name, setting]) => ({ name, ...setting.meta() }))
    .filter((each): each is { name: string; secret: true } => 'secret' in each)
    .map((each) => ({ name: each.name, lines: 'lines' in each }));
}

function readSecret(path: string, { lines }: { lines: boolean }): { text: string } | { fault: string } {
  try {
    const file = statSync(path);
    if (file.isDirectory()) return { fault: 'is a folder, and not a file' };
    // A pipe could be read once, and by one process.
    if (!file.isFile()) return { fault: 'is not a regular file' };
    if (file.size > maxSize) return { fault: `has more than ${maxSize} bytes` };
    const text = decodeFile(readFileSync(path), { fatal: true }).replace(/[\r\n]+$/, '');
    if (text.trim() === '') return { fault: 'is empty' };
    if (!lines && /[\r\n]/.test(text)) return { fault: 'has several lines, and must have one' };
    return { text };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { fault: faultOf[code] ?? `cannot be read (${code})` };
  }
}

const faultOf: Record<string, string> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by the user of this process',
  ENOTDIR: 'is behind a file, and not in a folder',
  ELOOP: 'is a link that leads to itself',
  ENAMETOOLONG: 'has a name that is too long for a file',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not a text in UTF-8',
};

/** What a path that names no file may be instead. */
const noPaths: [what: RegExp, rule: string][] = [
  [/\0/, 'must be a path, which has no NUL'],
  [/^file:/i, 'must be a path, and not a URL'],
  [/^~/, 'must be a path without ~, which only a shell replaces'],
  [/^["']|["']$/, 'must be a path without quotes around it'],
  [/^\s|\s$/, 'must be a path without white space around it'],
];

function explain(path: string, fault: string): string {
  const [, rule] = (!existsSync(path) && noPaths.find(([what]) => what.test(path))) || [];
  return rule ?? `${shown(path)} ${fault}`;
}

/** Without what may be the secret itself, set in place of the path by mistake: Base64 may begin with a slash. */
function shown(path: string): string {
  if (!/^(\.{0,2}[/\\]|[A-Za-z]:[/\\])/.test(path)) return `the file that it names in ${resolve('.')}`;
  const absolute = resolve(path);
  const folder = dirname(absolute);
  const isPath = existsSync(absolute) || (existsSync(folder) && folder !== parse(absolute).root);
  return isPath ? absolute : `the file that it names below ${nearestFolder(folder)}`;
}

const nearestFolder = (path: string): string => (existsSync(path) ? path : nearestFolder(dirname(path)));
