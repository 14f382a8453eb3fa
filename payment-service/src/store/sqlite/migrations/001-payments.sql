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
