import { DatabaseError } from './database-error.ts';
import { ReleaseRefused } from './schema.ts';

/** Where the database is, by its URL; never with the password. */
interface Place {
  server: string;
  host: string;
  user: string;
  database: string;
  setting: string;
}

type Explain = (place: Place, message: string) => string;

const unreachable: Explain = ({ server, setting }) =>
  `PostgreSQL at ${server} does not answer: check that address in ${setting}, and the network`;
const unknownHost: Explain = ({ host, setting }) =>
  `the host name ${host} has no address: correct it in ${setting}`;
const refused: Explain = ({ server, setting }, message) =>
  `PostgreSQL at ${server} refuses the connection, ${message}: correct the user or the password in ${setting}`;
const readOnly: Explain = ({ server, setting }) =>
  `PostgreSQL at ${server} is read-only, such as a standby: set ${setting} to the primary`;

/** By SQLSTATE, or by the code of the operating system. */
const byCode: Record<string, Explain> = {
  ECONNREFUSED: ({ server, setting }) =>
    `no PostgreSQL listens at ${server}: start it, or correct ${setting}`,
  ENOTFOUND: unknownHost,
  EAI_AGAIN: unknownHost,
  ETIMEDOUT: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  '28P01': refused,
  '28000': refused,
  '3D000': ({ server, database, setting }) =>
    `PostgreSQL at ${server} has no database ${database}: create it, or correct its name in ${setting}`,
  '42501': ({ user, database }) =>
    `the user ${user} may not create tables in the database ${database}: GRANT CREATE ON SCHEMA public TO ${user}`,
  '25006': readOnly,
  '53300': ({ server }, message) =>
    `PostgreSQL at ${server} has no connection left, ${message}: raise its max_connections`,
  '57P03': ({ server }) => `PostgreSQL at ${server} is starting or stopping: it is tried again`,
};

/** By a part of a message of pg, which has no code. */
const byMessage: [part: RegExp, explain: Explain][] = [
  [
    /password must be a(?: non-empty)? string/,
    ({ server, setting }) =>
      `PostgreSQL at ${server} requires a password: add it to ${setting}, as in postgres://user:password@host/database`,
  ],
  [
    /does not support SSL/,
    ({ server, setting }) => `PostgreSQL at ${server} has no TLS: remove sslmode from ${setting}`,
  ],
  [
    /certificate/i,
    ({ server, setting }, message) =>
      `the certificate of PostgreSQL at ${server} is not trusted, ${message}: name its root in ${setting} by sslrootcert=<file>`,
  ],
  [/terminated|timeout|in time/, unreachable],
];

/** Why the database at the URL cannot be opened, with the remedy, in one line; undefined if the error is of something else. */
export function explainDatabaseError(error: unknown, url: string, setting: string): string | undefined {
  if (error instanceof ReleaseRefused) return error.message;
  if (!(error instanceof DatabaseError)) return undefined;
  const [, explain] = byMessage.find(([part]) => part.test(error.message)) ?? [];
  return (byCode[error.code ?? ''] ?? explain)?.(placeOf(url, setting), error.message);
}

function placeOf(url: string, setting: string): Place {
  const { hostname, port, username, pathname } = new URL(url);
  const host = hostname || 'localhost';
  return {
    server: `${host}:${port || 5432}`,
    host,
    user: decodeURIComponent(username) || 'of this process',
    database: decodeURIComponent(pathname.slice(1)),
    setting,
  };
}
