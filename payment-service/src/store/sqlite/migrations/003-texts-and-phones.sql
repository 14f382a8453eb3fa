ALTER TABLE payments ADD COLUMN encoding TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN segments INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0;
UPDATE payments SET encoding = sms_encoding(message), segments = sms_segments(message);

CREATE TABLE customers (
  customer_id TEXT PRIMARY KEY,
  phone TEXT NOT NULL
) STRICT, WITHOUT ROWID;
