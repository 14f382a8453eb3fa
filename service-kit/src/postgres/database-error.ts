import { isDefect } from '../telemetry/outage.ts';

/** PostgreSQL refused a statement, or cannot be reached. */
export class DatabaseError extends Error {
  /** SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html); undefined if it is not from a server. */
  readonly sqlState: string | undefined;
  /** That, or the code of the operating system, such as ECONNREFUSED. */
  readonly code: string | undefined;
  /** The database is down, full or refuses the connection; false for a statement that it refuses. */
  readonly isOutage: boolean;
  /** The connection was lost after the statement was sent: it may have been committed. */
  readonly isUncertain: boolean;
  /** One row of many may have caused it, so each of a batch is worth a try by itself. After any other error each would fail. */
  readonly isOfOneItem: boolean;

  /** Takes no values over from pg's error: its details quote whole rows, and its cause does, too. */
  constructor(error: unknown, wasSent: boolean) {
    const { message, code, severity } = error as { message: string; code?: string; severity?: string };
    super(code ? `${message} (${code})` : message);
    this.sqlState = severity ? code : undefined; // without it the code is one of the operating system's
    this.code = code;
    // Class 08: a connection, 25006: read-only, 28: authorization, 3D: no database, 53: resources, 55P03: a lock, 57: an operator, 58: the system.
    this.isOutage = this.sqlState
      ? /^(08|25006|28|3D|42501|53|55P03|57|58)/.test(this.sqlState)
      : !isDefect(error);
    // What ends a session, such as a shutdown (57P01), may come just after the commit.
    this.isUncertain = wasSent && (this.sqlState === undefined || /^(08|57P)/.test(this.sqlState));
    // Class 22: data, 23: a constraint, 40: a deadlock.
    this.isOfOneItem = /^(22|23|40)/.test(this.sqlState ?? '');
  }
}
