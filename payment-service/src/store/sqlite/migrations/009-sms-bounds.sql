-- The SMS that a day's cap has given out, in blocks of which the latest is kept to be returned.
CREATE TABLE sms_days (
  day TEXT PRIMARY KEY, -- 2026-03-01, UTC
  segments INTEGER NOT NULL,
  latest_block INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sms_recipient_hours (
  hour TEXT NOT NULL, -- 2026-03-01T12, UTC
  phone TEXT NOT NULL,
  segments INTEGER NOT NULL,
  PRIMARY KEY (hour, phone)
) STRICT, WITHOUT ROWID;

-- Only notifications that wait for a bound, or are held, are in it.
CREATE INDEX payments_waiting ON payments (reason) WHERE notification_status = 'pending' AND reason IS NOT NULL;
