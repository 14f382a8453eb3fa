import type { DatabaseSync } from 'node:sqlite';
import type { Session } from 'service-kit/postgres/session.ts';

/**
 * Payments to be found, one a second, as each database generates them from their number `n`: a tenth are of one customer, half of one
 * client, and a thousandth of another. One in a hundred failed, one in a thousand is held, and as many are possible duplicates.
 */
const startedAt = Date.parse('2026-01-01T00:00:00Z');

export const idOfNumber = (n: number) =>
  `pmt_${(startedAt + n * 1000).toString(16).padStart(12, '0')}7000${String(n).padStart(16, '0')}`;

export const timeOfNumber = (n: number) => new Date(startedAt + n * 1000).toISOString();

const status = `CASE WHEN n % 100 = 7 THEN 'failed' WHEN n % 1000 = 3 THEN 'held' WHEN n % 5 < 2 THEN 'delivered' ELSE 'sent' END`;
const service = `CASE WHEN n % 100 = 7 OR n % 1000 = 3 THEN NULL WHEN n % 20 = 1 THEN 'Twilio' ELSE 'Aldeamo' END`;
const reason = `CASE WHEN n % 200 = 7 THEN 'opted_out' WHEN n % 100 = 7 THEN 'expired' WHEN n % 1000 = 3 THEN 'phone_unknown' END`;
const client = `CASE WHEN n % 1000 = 1 THEN 'portal' WHEN n % 2 = 0 THEN 'shop' END`;
const customer = `'customer_' || CASE WHEN n % 10 = 0 THEN 0 ELSE n * 7919 % 1000003 END`;
const columns = `payment_id, amount_minor, currency, customer_id, client, reference, metadata, message, encoding, segments,
  notification_service, notification_status, reason, possible_duplicate, expires_at, retries, reopened, fence, created_at`;

const sqliteTime = (more: string) =>
  `strftime('%Y-%m-%dT%H:%M:%fZ', ${startedAt / 1000} + n, 'unixepoch'${more})`;
const fillSqlitePayments = `
  WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
  INSERT INTO payments (${columns}, attempts)
  SELECT printf('pmt_%012x7000%016d', ${startedAt} + n * 1000, n), 100 * n, 'COP', ${customer}, ${client},
    'order-' || n / 2, '{"shop":"Chapinero"}', 'Pago recibido', 'GSM-7', 1, ${service}, ${status}, ${reason}, n % 1000 = 1,
    ${sqliteTime(", '+1 day'")}, 0, 0, 0, ${sqliteTime('')},
    json_array(json_object('provider', coalesce(${service}, 'Aldeamo'), 'reason', ${reason},
      'outcome', iif(n % 100 = 7, 'rejected', iif(n % 1000 = 3, 'not_sent', 'accepted')),
      'message_id', 'msg_' || n, 'started_at', ${sqliteTime('')}, 'duration_ms', 120))
  FROM numbers`;

const chunk = 200_000;

/** Inserts the payments numbered from `first` to `last`, without durability, and builds the indexes afterwards. */
export function fillSqlite(db: DatabaseSync, first: number, last: number): void {
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000');
  const indexes = db
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'payments' AND sql IS NOT NULL",
    )
    .all();
  for (const { name } of indexes) db.exec(`DROP INDEX ${name}`);
  const insert = db.prepare(fillSqlitePayments);
  for (let from = first; from <= last; from += chunk) {
    insert.run({ first: from, last: Math.min(from + chunk - 1, last) });
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }
  for (const { sql } of indexes) db.exec(String(sql));
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
}

const postgresTime = `timestamptz '2026-01-01 00:00:00Z' + n * interval '1 second'`;
const fillPostgresPayments = (first: number, last: number) => `
  INSERT INTO payments (${columns})
  SELECT 'pmt_' || lpad(to_hex(${startedAt} + n * 1000), 12, '0') || '7000' || lpad(n::text, 16, '0'), 100 * n, 'COP',
    ${customer}, ${client}, 'order-' || n / 2, '{"shop":"Chapinero"}', 'Pago recibido', 'GSM-7', 1, ${service}, ${status},
    ${reason}, n % 1000 = 1, ${postgresTime} + interval '1 day', 0, 0, 0, ${postgresTime}
  FROM generate_series(${first}::bigint, ${last}) AS n;
  INSERT INTO attempts (payment_id, number, provider, outcome, reason, message_id, started_at, duration_ms)
  SELECT 'pmt_' || lpad(to_hex(${startedAt} + n * 1000), 12, '0') || '7000' || lpad(n::text, 16, '0'), 1,
    coalesce(${service}, 'Aldeamo'),
    CASE WHEN n % 100 = 7 THEN 'rejected' WHEN n % 1000 = 3 THEN 'not_sent' ELSE 'accepted' END, ${reason}, 'msg_' || n,
    ${postgresTime}, 120
  FROM generate_series(${first}::bigint, ${last}) AS n`;

/** Does the same in PostgreSQL. */
export async function fillPostgres(session: Session, first: number, last: number): Promise<void> {
  const { rows } = await session.query(
    `SELECT indexname AS name, indexdef AS sql FROM pg_indexes
     WHERE tablename IN ('payments', 'attempts') AND indexname NOT LIKE '%_pkey'`,
  );
  // The attempts are those of the payments, so that a million look-ups of their key are saved.
  await session.query("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'");
  for (const { name } of rows) await session.query(`DROP INDEX ${name}`);
  for (let from = first; from <= last; from += chunk)
    await session.query(fillPostgresPayments(from, Math.min(from + chunk - 1, last)));
  for (const { sql } of rows) await session.query(sql);
}
