-- The attempts of a payment, as JSON, have a mode from now on.
DROP VIEW attempts;
CREATE VIEW attempts AS
  SELECT payment_id, key + 1 AS number, value ->> 'provider' AS provider, value ->> 'outcome' AS outcome,
    value ->> 'reason' AS reason, value ->> 'message_id' AS message_id, value ->> 'started_at' AS started_at,
    value ->> 'duration_ms' AS duration_ms, value ->> 'mode' AS mode
  FROM payments, json_each(payments.attempts);
