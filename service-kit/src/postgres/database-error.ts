/** PostgreSQL refused a statement, or there is none to ask. */
export class DatabaseError extends Error {
  /** SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html); undefined if no server said it. */
  readonly sqlState: string | undefined;
  /** The connection was lost after the statement was sent: it may have been carried out. */
  readonly isUncertain: boolean;

  /** Takes from pg's error what says why, and nothing of the values: its details quote whole rows, and its cause them. */
  constructor(error: unknown, wasSent: boolean) {
    const { message, code, severity } = error as { message: string; code?: string; severity?: string };
    super(code ? `${message} (${code})` : message);
    this.sqlState = severity ? code : undefined; // without it the code is one of the operating system's
    // What ends a session, such as a shutdown (57P01), may come just after the commit.
    this.isUncertain = wasSent && (this.sqlState === undefined || /^(08|57P)/.test(this.sqlState));
  }
}
