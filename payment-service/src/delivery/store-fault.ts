/** Why the store takes no payments, in words that may leave the service: they name no host, path or user. */
export const storeFaults = [
  'disk_full',
  'read_only',
  'damaged',
  'files_missing',
  'locked',
  'too_many_connections',
  'access_denied',
  'clock_differs',
  'unreachable',
  'unknown',
] as const;
export type StoreFault = (typeof storeFaults)[number];

/**
 * By the texts of the error and its causes, because only these pass from the thread of SQLite to this one. Theirs are fixed
 * (https://www.sqlite.org/rescode.html); a DatabaseError has the SQLSTATE in parentheses at its end.
 */
const signs: [StoreFault, RegExp][] = [
  ['disk_full', /disk is full|ENOSPC|\(53100\)/],
  ['read_only', /readonly database|EROFS|\(25006\)/],
  ['damaged', /malformed|not a (SQLite )?database|\(XX00[12]\)/],
  ['files_missing', / is (gone|another file)\b|unable to open database file/],
  ['locked', /database (table )?is locked|\(55P03\)/],
  ['too_many_connections', /\(53300\)|no more connections allowed|query_wait_timeout/],
  ['access_denied', /EACCES|EPERM|cannot be accessed|\((28\w{3}|3D000|42501)\)/],
  ['clock_differs', /^the clock is /],
  [
    'unreachable',
    /ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|\((08\w{3}|57P\w{2})\)/,
  ],
  ['unreachable', /terminated|timeout|ETIMEDOUT|in time/],
];

/** What an error of the store says of its cause; `unknown` for any other. */
export function faultOf(error: unknown): StoreFault {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { message } = each;
    const found = signs.find(([, sign]) => sign.test(message));
    if (found) return found[0];
  }
  return 'unknown';
}
