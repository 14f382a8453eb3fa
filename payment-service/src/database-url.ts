import { statSync } from 'node:fs';
import {
  databasePassword,
  postgresUrl,
  withPassword,
  wrongPassword,
} from 'service-kit/postgres/database-settings.ts';
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

const databaseUrl = () =>
  z
    .string()
    .trim() // as all URLs are: a blank behind one would be a part of the name
    .superRefine((url, context) => {
      const { error } = (url.startsWith(scheme) ? sqliteUrl() : postgresUrl(rule)).safeParse(url);
      for (const { message } of error?.issues ?? []) context.addIssue({ code: 'custom', message });
    })
    .meta({ form: 'file: and a path, or a postgres:// URL with a database' });

/** The environment variables of the store. */
export const databaseSettings = () => ({
  DATABASE_URL: databaseUrl()
    .default('file:./data/payments.db')
    .describe(
      'Where the payments are: a SQLite file (in the container file:/data/payments.db, on a volume), or a PostgreSQL database for several replicas.',
    )
    .meta({ secret: true }),
  DATABASE_PASSWORD: databasePassword('DATABASE_URL'),
});

interface DatabaseConfig {
  DATABASE_URL: string;
  DATABASE_PASSWORD?: string | undefined;
}

export const wrongDatabase = ({ DATABASE_URL: url, DATABASE_PASSWORD: password }: DatabaseConfig) =>
  wrongPassword('DATABASE_URL', url, password);

/** The URL of the store, with the password. */
export const storeUrl = ({ DATABASE_URL: url, DATABASE_PASSWORD: password }: DatabaseConfig) =>
  withPassword(url, password);

function isFilePath(path: string): boolean {
  if (/^(:|file:)|\?|(^|\/)\.{0,2}$/.test(path)) return false;
  try {
    return !statSync(path).isDirectory();
  } catch {
    return true; // there is none yet, or the store says why it cannot be opened
  }
}
