/** PostgreSQL refused a statement, or cannot be reached. */
export class DatabaseError extends Error {
  /** SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html); undefined if it is not from a server. */
  readonly sqlState: string | undefined;
  /** The connection was lost after the statement was sent: it may have been committed. */
  readonly isUncertain: boolean;
  /** One row of many may have caused it, so each of a batch is worth a try by itself. After any other error each would fail. */
  readonly isOfOneItem: boolean;

  /** Takes no values over from pg's error: its details quote whole rows, and its cause does, too. */
  constructor(error: unknown, wasSent: boolean) {
    const { message, code, severity } = error as { message: string; code?: string; severity?: string };
    super(code ? `${message} (${code})` : message);
    this.sqlState = severity ? code : undefined; // without it the code is one of the operating system's
    // What ends a session, such as a shutdown (57P01), may come just after the commit.
    this.isUncertain = wasSent && (this.sqlState === undefined || /^(08|57P)/.test(this.sqlState));
    // Class 22: data, 23: a constraint, 40: a deadlock.
    this.isOfOneItem = /^(22|23|40)/.test(this.sqlState ?? '');
  }
}
