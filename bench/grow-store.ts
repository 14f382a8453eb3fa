import type { DatabaseSync } from 'node:sqlite';

/** The customer of a tenth of all payments. */
export const largeCustomer = 'customer_0';

const chunk = 100_000;
const startedAt = Date.parse('2026-01-01T00:00:00Z');

/** An SQL expression for the id of a payment: ordered by time like a UUIDv7, and deterministic. */
const idOf = (number: string) =>
  `printf('pmt_%012x7%03x8%015x', ${startedAt} + ${number} * 100, ${number} % 4096, (${number} * 6364136223) & 1152921504606846975)`;

/**
 * Most customers have few payments, some have thousands, and one has a tenth of all. The ten oldest of that customer failed, so
 * that a query from the newest in search of them passes all others. A hundred notifications are pending, five of them due,
 * whatever the size of the store.
 */
const insertPayments = `
  WITH RECURSIVE
    numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last),
    dealt AS (
      SELECT n,
        CASE
          WHEN n % 10 = 0 THEN iif(n <= 100, 'failed', 'sent')
          WHEN n % 10 = 5 AND n <= 1000 THEN 'pending'
          WHEN n % 10 = 3 THEN 'delivered'
          WHEN n % 100 = 7 THEN 'failed'
          ELSE 'sent'
        END AS status,
        n * 2654435761 % 1000003 / 1000003.0 AS chance,
        strftime('%Y-%m-%dT%H:%M:%fZ', ${startedAt / 1000} + n / 10.0, 'unixepoch') AS made_at,
        strftime('%Y-%m-%dT%H:%M:%fZ', ${startedAt / 1000} + n / 10.0, 'unixepoch', '+1 day') AS given_up_at
      FROM numbers
    )
  INSERT INTO payments (payment_id, amount_minor, currency, customer_id, phone, message, encoding, segments,
                        notification_service, notification_status, reason, next_attempt_at, expires_at, due_at, created_at,
                        attempts)
  SELECT ${idOf('n')}, 100 * n, 'COP',
    'customer_' || iif(n % 10 = 0, 0, 1 + CAST(chance * chance * chance * 1000000 AS INTEGER)),
    printf('+57300%07d', n % 10000000), printf('Se ha procesado un pago de $%d con éxito.', n), 'GSM-7', 1,
    CASE WHEN status IN ('sent', 'delivered') THEN iif(n % 20 = 1, 'Twilio', 'Aldeamo') END, status,
    iif(status = 'failed', 'opted_out', NULL), iif(status = 'pending', given_up_at, NULL), given_up_at,
    -- Five are due now, the others in an hour.
    iif(status = 'pending', (unixepoch() + iif(n <= 50, 0, 3600)) * 1000, NULL), made_at,
    json_array(json_object(
      'provider', iif(status IN ('sent', 'delivered') AND n % 20 = 1, 'Twilio', 'Aldeamo'),
      'outcome', CASE status WHEN 'pending' THEN 'not_sent' WHEN 'failed' THEN 'rejected' ELSE 'accepted' END,
      'reason', CASE status WHEN 'pending' THEN 'connection_refused' WHEN 'failed' THEN 'opted_out' END,
      'message_id', iif(status IN ('sent', 'delivered'), 'msg_' || substr(${idOf('n')}, 5), NULL),
      'started_at', made_at, 'duration_ms', 120
    ))
  FROM dealt`;

/** Inserts payments as the service would have stored them, up to `size`. */
export function growTo(db: DatabaseSync, size: number): void {
  // Not durable, because the data can be generated again.
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000');
  const insert = db.prepare(insertPayments);
  const { stored } = db.prepare('SELECT count(*) AS stored FROM payments').get() as { stored: number };
  for (let first = stored + 1; first <= size; first += chunk) {
    db.exec('BEGIN');
    insert.run({ first, last: Math.min(first + chunk - 1, size) });
    db.exec('COMMIT');
  }
}

/** The ids of payments spread evenly over the middle half of a store of this size. */
export function deepIds(db: DatabaseSync, size: number, count: number): string[] {
  const number = `(${Math.floor(size / 4)} + value * ${Math.floor(size / 2 / count)})`;
  const numbers = JSON.stringify(Array.from({ length: count }, (_, index) => index));
  const rows = db.prepare(`SELECT ${idOf(number)} AS id FROM json_each(?)`).all(numbers);
  return rows.map(({ id }) => String(id));
}
