-- In the row of their payment, which is written twice anyway, attempts need no pages and no statements of their own.
ALTER TABLE payments ADD COLUMN attempts TEXT NOT NULL DEFAULT '[]';
UPDATE payments SET attempts = (
  SELECT json_group_array(json_object(
    'provider', provider, 'outcome', outcome, 'reason', reason, 'message_id', message_id, 'started_at', started_at,
    'duration_ms', duration_ms
  ) ORDER BY number)
  FROM attempts WHERE attempts.payment_id = payments.payment_id
);
DROP TABLE attempts;

-- Rows as in PostgreSQL, for queries by hand.
CREATE VIEW attempts AS
  SELECT payment_id, key + 1 AS number, value ->> 'provider' AS provider, value ->> 'outcome' AS outcome,
    value ->> 'reason' AS reason, value ->> 'message_id' AS message_id, value ->> 'started_at' AS started_at,
    value ->> 'duration_ms' AS duration_ms
  FROM payments, json_each(payments.attempts);
