-- COLLATE "C": ids are compared byte by byte, as in SQLite, and an update of the system's locales can not break an index.
CREATE TABLE payments (
  payment_id text COLLATE "C" PRIMARY KEY,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  customer_id text COLLATE "C" NOT NULL,
  phone text,
  message text, -- null once it is redacted
  encoding text NOT NULL,
  segments integer NOT NULL,
  notification_service text,
  notification_status text NOT NULL,
  reason text,
  next_attempt_at timestamptz,
  expires_at timestamptz NOT NULL,
  retries integer NOT NULL,
  reopened integer NOT NULL,
  fence integer NOT NULL,
  due_at timestamptz, -- when the outbox claims it
  created_at timestamptz NOT NULL,
  traceparent text,
  request_id text
);

CREATE INDEX payments_by_customer ON payments (customer_id, payment_id);
CREATE INDEX payments_by_status ON payments (notification_status, payment_id);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_not_blanked ON payments (created_at) WHERE message IS NOT NULL;

CREATE TABLE attempts (
  payment_id text COLLATE "C" NOT NULL REFERENCES payments (payment_id),
  number integer NOT NULL,
  provider text NOT NULL,
  outcome text,
  reason text,
  message_id text,
  started_at timestamptz NOT NULL,
  duration_ms integer,
  PRIMARY KEY (payment_id, number)
);

CREATE TABLE idempotency_keys (
  key text COLLATE "C" PRIMARY KEY,
  fingerprint text NOT NULL,
  payment_id text COLLATE "C" NOT NULL REFERENCES payments (payment_id),
  answer_status integer,
  answer_body text,
  created_at timestamptz NOT NULL
);

CREATE INDEX idempotency_keys_by_payment ON idempotency_keys (payment_id);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE customers (
  customer_id text COLLATE "C" PRIMARY KEY,
  phone text NOT NULL
);

-- Each payment is updated at least once, and the search for due payments scans the dead rows. Autovacuum would wait until a
-- fifth of the table is dead, which is too long in a large one.
ALTER TABLE payments SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.02);
