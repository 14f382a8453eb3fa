-- updated_at is null in a record of an earlier release; at ask_at the provider is asked what became of the SMS.
ALTER TABLE payments ADD COLUMN updated_at TEXT;
ALTER TABLE payments ADD COLUMN ask_at TEXT;
ALTER TABLE payments ADD COLUMN asks INTEGER NOT NULL DEFAULT 0;

CREATE INDEX payments_to_ask ON payments (ask_at) WHERE ask_at IS NOT NULL;

-- The attempts of a payment, as JSON, have the last digits of their phone and their deliveries from now on.
DROP VIEW attempts;
CREATE VIEW attempts AS
  SELECT payment_id, key + 1 AS number, value ->> 'provider' AS provider, value ->> 'outcome' AS outcome,
    value ->> 'reason' AS reason, value ->> 'message_id' AS message_id, value ->> 'started_at' AS started_at,
    value ->> 'duration_ms' AS duration_ms, value ->> 'mode' AS mode, value ->> 'phone_last4' AS phone_last4,
    nullif(value -> 'deliveries', '[]') AS deliveries
  FROM payments, json_each(payments.attempts);
