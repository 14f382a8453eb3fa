ALTER TABLE payments ADD COLUMN reason TEXT;
ALTER TABLE payments ADD COLUMN expires_at TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN fence INTEGER NOT NULL DEFAULT 1;
ALTER TABLE payments ADD COLUMN due_at INTEGER;

-- Pending notifications of the first release are due, and expire a day after their payment.
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
