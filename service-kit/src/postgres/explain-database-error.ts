import { DatabaseError } from './database-error.ts';
import { passwordSetting } from './database-settings.ts';
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
  `PostgreSQL at ${server} does not answer: check that address in ${setting}, the network, and the pool size of a pooler`;
const unknownHost: Explain = ({ host, setting }) =>
  `the host name ${host} has no address: correct it in ${setting}`;
const refused: Explain = ({ server, setting }, message) =>
  `PostgreSQL at ${server} refuses the connection, ${message}: correct the user or the password in ${setting}, or ${passwordSetting(setting)}`;
const readOnly: Explain = ({ server, setting }) =>
  `PostgreSQL at ${server} is read-only: if it is a standby, promote it or set ${setting} to the primary, else turn default_transaction_read_only off`;
const untrusted: Explain = ({ server, setting }, message) =>
  `the certificate of PostgreSQL at ${server} is not trusted, ${message}: name the file of its root certificate (PEM) in ${setting} by sslrootcert=<file>`;

/** By SQLSTATE, or by the code of the operating system. */
const byCode: Record<string, Explain> = {
  ECONNREFUSED: ({ server, setting }) =>
    `no PostgreSQL listens at ${server}: start it, or correct ${setting}`,
  ENOTFOUND: unknownHost,
  EAI_AGAIN: unknownHost,
  ETIMEDOUT: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  CERT_HAS_EXPIRED: ({ server }) => `the certificate of PostgreSQL at ${server} has expired: renew it`,
  ERR_TLS_CERT_ALTNAME_INVALID: ({ server, host, setting }) =>
    `the certificate of PostgreSQL at ${server} is not for ${host}: use a name that it has in ${setting}`,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  '28P01': refused,
  '28000': refused,
  '3D000': ({ server, database, setting }) =>
    `PostgreSQL at ${server} has no database ${database}: create it, or correct its name in ${setting}`,
  // A server writes its messages in the language of its lc_messages.
  '42501': ({ user, database }, message) =>
    `the user ${user} lacks a privilege in the database ${database}, ${message}: grant it`,
  '25006': readOnly,
  '53300': ({ server }, message) =>
    `PostgreSQL at ${server} has no connection left, ${message}: raise its max_connections`,
  '57P03': ({ server }) => `PostgreSQL at ${server} is starting or stopping: it is tried again`,
};

/** By a part of a message: of pg, which has no code, or where a code stands for several causes. These come first. */
const byMessage: [part: RegExp, explain: Explain][] = [
  [
    /^(ENOENT|EACCES|EISDIR|ENOTDIR): /,
    ({ setting }, message) =>
      `a file that ${setting} names (sslrootcert, sslcert, sslkey) cannot be read, ${message}: correct its path, or let this user read it`,
  ],
  [
    /password must be a(?: non-empty)? string/,
    ({ server, setting }) =>
      `PostgreSQL at ${server} requires a password: set ${passwordSetting(setting)}, or add it to ${setting}, as in postgres://user:password@host/database`,
  ],
  [
    /does not support SSL/,
    ({ server, setting }) => `PostgreSQL at ${server} has no TLS: remove sslmode from ${setting}`,
  ],
  [
    /pg_hba\.conf.*no encryption/,
    ({ server, setting }, message) =>
      `PostgreSQL at ${server} refuses a connection without TLS, ${message}: add sslmode=verify-full to ${setting}, or an entry to pg_hba.conf`,
  ],
  [
    /no pg_hba\.conf entry/,
    ({ server }, message) =>
      `PostgreSQL at ${server} refuses the connection, ${message}: add an entry to pg_hba.conf`,
  ],
  [
    /valid client certificate/,
    ({ server, setting }) =>
      `PostgreSQL at ${server} requires a client certificate: name it and its key in ${setting} by sslcert=<file> and sslkey=<file>`,
  ],
  [
    /SSL alert/,
    ({ server, setting }) =>
      `PostgreSQL at ${server} does not accept the client certificate: correct sslcert and sslkey in ${setting}`,
  ],
  [
    /key values mismatch/,
    ({ setting }) =>
      `the key of sslkey is not that of the certificate of sslcert: correct one of them in ${setting}`,
  ],
  [
    /permission denied for schema .*\(42501\)/,
    ({ user, database }) =>
      `the user ${user} may not create tables in the database ${database}: GRANT CREATE ON SCHEMA public TO ${user}`,
  ],
  [
    /permission denied for (table|relation|view) .*\(42501\)/,
    ({ user, database }, message) =>
      `the user ${user} may not use the tables in the database ${database}, ${message}: make it their owner, or GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
  ],
  [
    /must be owner of .*\(42501\)/,
    ({ user, database }, message) =>
      `the user ${user} may not change the tables in the database ${database}, ${message}: make it their owner`,
  ],
  [
    /permission denied for database .*\(42501\)/,
    ({ user, database }) =>
      `the user ${user} may not connect to the database ${database}: GRANT CONNECT ON DATABASE ${database} TO ${user}`,
  ],
  [/no more connections allowed|query_wait_timeout/, ({ server }, message) => poolTooSmall(server, message)],
  [/terminated|timeout|in time/, unreachable],
];

const poolTooSmall = (server: string, message: string) =>
  `the pooler at ${server} has no connection left, ${message}: raise its max_client_conn and default_pool_size`;

/** Why the database at the URL cannot be opened, with the remedy, in one line; undefined if the error is of something else. */
export function explainDatabaseError(error: unknown, url: string, setting: string): string | undefined {
  if (error instanceof ReleaseRefused) return error.message;
  if (!(error instanceof DatabaseError)) return undefined;
  const [, explain] = byMessage.find(([part]) => part.test(error.message)) ?? [];
  return (explain ?? byCode[error.code ?? ''])?.(placeOf(url, setting), error.message);
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
