ALTER TABLE payments ADD COLUMN client TEXT; -- the name of the key that made it; null without keys
ALTER TABLE payments ADD COLUMN reference TEXT;
ALTER TABLE payments ADD COLUMN metadata TEXT; -- JSON; null if there is none
ALTER TABLE payments ADD COLUMN possible_duplicate INTEGER NOT NULL DEFAULT 0;
UPDATE payments SET possible_duplicate = 1 WHERE is_possible_duplicate(attempts);

-- Most payments are in none of these but, with keys, two of those by client.
CREATE INDEX payments_by_reference ON payments (reference, payment_id) WHERE reference IS NOT NULL;
CREATE INDEX payments_by_reason ON payments (reason, payment_id) WHERE reason IS NOT NULL;
CREATE INDEX payments_maybe_twice ON payments (payment_id) WHERE possible_duplicate = 1;
CREATE INDEX payments_by_twilio ON payments (payment_id) WHERE notification_service = 'Twilio';
CREATE INDEX payments_by_client ON payments (client, notification_status, payment_id) WHERE client IS NOT NULL;
CREATE INDEX payments_by_client_and_customer ON payments (client, customer_id, payment_id) WHERE client IS NOT NULL;
CREATE INDEX payments_by_client_and_reference ON payments (client, reference, payment_id)
  WHERE client IS NOT NULL AND reference IS NOT NULL;
CREATE INDEX payments_by_client_and_reason ON payments (client, reason, payment_id)
  WHERE client IS NOT NULL AND reason IS NOT NULL;
CREATE INDEX payments_maybe_twice_by_client ON payments (client, payment_id) WHERE client IS NOT NULL AND possible_duplicate = 1;
CREATE INDEX payments_by_client_and_twilio ON payments (client, payment_id)
  WHERE client IS NOT NULL AND notification_service = 'Twilio';

-- Each client has customers of its own where clients are isolated; '' owns them where they are not.
CREATE TABLE owned_customers (
  client TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  phone TEXT NOT NULL,
  PRIMARY KEY (customer_id, client)
) STRICT, WITHOUT ROWID;
INSERT INTO owned_customers (client, customer_id, phone) SELECT '', customer_id, phone FROM customers;
DROP TABLE customers;
ALTER TABLE owned_customers RENAME TO customers;

-- For the erasure of a customer, which deletes events.
CREATE INDEX events_not_pending ON events (payment_id) WHERE delivery_status IS NOT 'pending';
