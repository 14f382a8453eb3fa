ALTER TABLE payments ADD COLUMN updated_at timestamptz; -- null in a record of an earlier release
ALTER TABLE payments ADD COLUMN ask_at timestamptz; -- when the provider is asked what became of the SMS
ALTER TABLE payments ADD COLUMN asks integer NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN phone_last4 text;
ALTER TABLE attempts ADD COLUMN deliveries jsonb; -- null if no receipt came

CREATE INDEX payments_to_ask ON payments (ask_at) WHERE ask_at IS NOT NULL;
