import { statSync } from 'node:fs';
import { postgresUrl } from 'service-kit/http/configuration.ts';
import { z } from 'zod';

const scheme = 'file:';
const rule = 'must be file: and a path, or a postgres:// URL with a database';
const fileRule = 'must name a file, not a folder or :memory:, and have no query (?)';

/**
 * The URL of a SQLite file. Everything after `file:` is the path, because SQLite would treat a `?mode=memory` as a part of the name.
 * `:memory:`, like every name that begins with a colon, names no file.
 */
export const sqliteUrl = () =>
  z
    .string()
    .regex(/^file:./, { error: rule, abort: true })
    .refine((url) => isFilePath(url.slice(scheme.length)), fileRule);

export const databaseUrl = () =>
  z
    .string()
    .superRefine((url, context) => {
      const { error } = (url.startsWith(scheme) ? sqliteUrl() : postgresUrl(rule)).safeParse(url);
      for (const { message } of error?.issues ?? []) context.addIssue({ code: 'custom', message });
    })
    .meta({ form: 'file: and a path, or a postgres:// URL with a database' });

function isFilePath(path: string): boolean {
  if (/^(:|file:)|\?|(^|\/)\.{0,2}$/.test(path)) return false;
  try {
    return !statSync(path).isDirectory();
  } catch {
    return true; // there is none yet, or the store says why it cannot be opened
  }
}
