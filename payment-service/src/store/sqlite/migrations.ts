import type { DatabaseSync } from 'node:sqlite';
import { measureText } from 'service-kit/contract/sms-text.ts';

/** Brings a database from version n to n+1, each in one transaction. A migration that was released never changes. */
const migrations: readonly string[] = [
  `
  CREATE TABLE payments (
    payment_id TEXT PRIMARY KEY,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    phone TEXT,
    message TEXT NOT NULL,
    notification_service TEXT,
    notification_status TEXT NOT NULL,
    next_attempt_at TEXT,
    created_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX payments_by_customer ON payments (customer_id, payment_id);
  CREATE INDEX payments_by_status ON payments (notification_status, payment_id);

  CREATE TABLE attempts (
    payment_id TEXT NOT NULL REFERENCES payments (payment_id),
    number INTEGER NOT NULL,
    provider TEXT NOT NULL,
    outcome TEXT,
    reason TEXT,
    message_id TEXT,
    started_at TEXT NOT NULL,
    duration_ms INTEGER,
    PRIMARY KEY (payment_id, number)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE payments ADD COLUMN reason TEXT;
  ALTER TABLE payments ADD COLUMN expires_at TEXT NOT NULL DEFAULT '';
  ALTER TABLE payments ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE payments ADD COLUMN fence INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE payments ADD COLUMN due_at INTEGER;

  -- What the first release left as pending is due, and has a day from its payment.
  UPDATE payments SET expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '+1 day');
  UPDATE payments SET due_at = unixepoch() * 1000, next_attempt_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    WHERE notification_status = 'pending';

  UPDATE payments SET reason = (
    SELECT reason FROM attempts WHERE attempts.payment_id = payments.payment_id ORDER BY number DESC LIMIT 1
  ) WHERE notification_status = 'failed';

  CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX attempts_running ON attempts (payment_id) WHERE outcome IS NULL;

  CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    payment_id TEXT NOT NULL REFERENCES payments (payment_id),
    answer_status INTEGER,
    answer_body TEXT,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX idempotency_keys_by_payment ON idempotency_keys (payment_id);
  CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
  `,
  `
  ALTER TABLE payments ADD COLUMN encoding TEXT NOT NULL DEFAULT '';
  ALTER TABLE payments ADD COLUMN segments INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE payments ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0;
  UPDATE payments SET encoding = sms_encoding(message), segments = sms_segments(message);

  CREATE TABLE customers (
    customer_id TEXT PRIMARY KEY,
    phone TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE payments ADD COLUMN traceparent TEXT;
  ALTER TABLE payments ADD COLUMN request_id TEXT;
  `,
  `
  -- A text is never empty: '' is one that was blanked. Taking NOT NULL away would mean to write the table anew.
  CREATE INDEX payments_not_blanked ON payments (created_at) WHERE message <> '';
  `,
  `
  -- By status first: what is pending is then together on few pages, and a payment is written to a random one only once, when
  -- it is sent. It has all payments of a customer, too, in pieces: another index by customer alone would cost each payment
  -- one more random page.
  CREATE INDEX payments_by_status_and_customer ON payments (notification_status, customer_id, payment_id);
  DROP INDEX payments_by_customer;
  `,
  `
  -- What was running when the process ended is among what is due, which there is an index of.
  DROP INDEX attempts_running;
  `,
  `
  -- A payment is written twice, and its attempts with it: in its own row they take no pages and no statements of their own.
  ALTER TABLE payments ADD COLUMN attempts TEXT NOT NULL DEFAULT '[]';
  UPDATE payments SET attempts = (
    SELECT json_group_array(json_object(
      'provider', provider, 'outcome', outcome, 'reason', reason, 'message_id', message_id, 'started_at', started_at,
      'duration_ms', duration_ms
    ) ORDER BY number)
    FROM attempts WHERE attempts.payment_id = payments.payment_id
  );
  DROP TABLE attempts;

  -- As PostgreSQL has them, and for whoever asks by hand.
  CREATE VIEW attempts AS
    SELECT payment_id, key + 1 AS number, value ->> 'provider' AS provider, value ->> 'outcome' AS outcome,
      value ->> 'reason' AS reason, value ->> 'message_id' AS message_id, value ->> 'started_at' AS started_at,
      value ->> 'duration_ms' AS duration_ms
    FROM payments, json_each(payments.attempts);
  `,
];

/** @throws Error if the database is of a newer release */
export function migrate(db: DatabaseSync): void {
  db.function('sms_encoding', (text) => measureText(String(text)).encoding);
  db.function('sms_segments', (text) => measureText(String(text)).segments);
  db.exec('BEGIN IMMEDIATE');
  try {
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) {
      throw new Error(`The database has schema version ${version}; this release knows ${migrations.length}.`);
    }
    for (const migration of migrations.slice(version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
