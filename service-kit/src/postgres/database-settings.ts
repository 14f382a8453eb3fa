import { z } from 'zod';
import { missing } from '../http/configuration.ts';

/** A PostgreSQL database; TLS and other options of pg-connection-string are in the query, such as `?sslmode=verify-full`. */
export const postgresUrl = (message = 'must be a postgres:// URL with a database') =>
  z
    .url({ protocol: /^postgres(ql)?$/, error: message, abort: true })
    .refine(
      // Without a name, pg connects to the database that is named like the user.
      (url) => new URL(url).pathname.length > 1,
      message,
    )
    .meta({ form: 'a postgres:// URL with a database' });

type UrlSetting = 'DATABASE_URL' | 'SENDS_DATABASE_URL';

/** The setting beside a URL that has its password, as it is: no character of it has a meaning, as in a URL. */
export const passwordSetting = (urlSetting: string): string => urlSetting.replace('_URL', '_PASSWORD');

export const databasePassword = (urlSetting: UrlSetting) =>
  z
    .string()
    .meta({ form: 'text' })
    .optional()
    .describe(
      `The password of the user of ${urlSetting}, in place of one in that URL. It may have any characters; they are not percent-encoded.`,
    )
    .meta({ secret: true });

/** The issues of a password beside the URL of its database. */
export function wrongPassword(urlSetting: UrlSetting, url: string | undefined, password: string | undefined) {
  if (password === undefined) return [];
  const names = [passwordSetting(urlSetting)];
  if (!url || !URL.canParse(url) || url.startsWith('file:'))
    return missing(names, `requires the postgres:// URL of its database in ${urlSetting}`);
  const parsed = new URL(url);
  return parsed.password || parsed.searchParams.has('password')
    ? missing(names, `must not be set together with a password in ${urlSetting}`)
    : [];
}

/** The URL with the password, which pg also takes from the query; a URL without a host, as of a Unix socket, has no other place. */
export function withPassword(url: string, password: string | undefined): string {
  if (password === undefined) return url;
  const complete = new URL(url);
  complete.searchParams.set('password', password);
  return complete.href;
}
