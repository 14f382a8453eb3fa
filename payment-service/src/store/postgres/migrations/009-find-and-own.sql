ALTER TABLE payments ADD COLUMN client text COLLATE "C"; -- the name of the key that made it; null without keys
ALTER TABLE payments ADD COLUMN reference text COLLATE "C";
ALTER TABLE payments ADD COLUMN metadata json; -- null if there is none
ALTER TABLE payments ADD COLUMN possible_duplicate boolean NOT NULL DEFAULT false;

-- One SMS was accepted or delivered, and another one may have gone out as well: see isPossibleDuplicate.
UPDATE payments SET possible_duplicate = true
FROM (
  SELECT payment_id
  FROM attempts, LATERAL (
    SELECT coalesce(bool_or(receipt ->> 'status' = 'delivered'), false) AS delivered,
           (array_agg(receipt ->> 'status' ORDER BY place DESC))[1] AS last
    FROM jsonb_array_elements(deliveries) WITH ORDINALITY AS receipts (receipt, place)
  ) AS seen
  GROUP BY payment_id
  HAVING count(*) FILTER (WHERE delivered OR CASE WHEN last IS NULL THEN outcome IN ('accepted', 'unknown')
                                                  ELSE last = 'undelivered' END) > 1
     AND bool_or((outcome = 'accepted' OR delivered)
                 AND (delivered OR CASE WHEN last IS NULL THEN true ELSE last = 'undelivered' END))
) AS twice
WHERE payments.payment_id = twice.payment_id;

-- Most payments are in none of these but, with keys, two of those by client.
CREATE INDEX payments_by_reference ON payments (reference, payment_id) WHERE reference IS NOT NULL;
CREATE INDEX payments_by_reason ON payments (reason COLLATE "C", payment_id) WHERE reason IS NOT NULL;
CREATE INDEX payments_maybe_twice ON payments (payment_id) WHERE possible_duplicate;
CREATE INDEX payments_by_twilio ON payments (payment_id) WHERE notification_service = 'Twilio';
CREATE INDEX payments_by_client ON payments (client, notification_status, payment_id) WHERE client IS NOT NULL;
CREATE INDEX payments_by_client_and_customer ON payments (client, customer_id, payment_id) WHERE client IS NOT NULL;
CREATE INDEX payments_by_client_and_reference ON payments (client, reference, payment_id)
  WHERE client IS NOT NULL AND reference IS NOT NULL;
CREATE INDEX payments_by_client_and_reason ON payments (client, reason COLLATE "C", payment_id)
  WHERE client IS NOT NULL AND reason IS NOT NULL;
CREATE INDEX payments_maybe_twice_by_client ON payments (client, payment_id) WHERE client IS NOT NULL AND possible_duplicate;
CREATE INDEX payments_by_client_and_twilio ON payments (client, payment_id)
  WHERE client IS NOT NULL AND notification_service = 'Twilio';

-- Each client has customers of its own where clients are isolated; '' owns them where they are not.
ALTER TABLE customers ADD COLUMN client text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE customers DROP CONSTRAINT customers_pkey;
ALTER TABLE customers ADD PRIMARY KEY (customer_id, client);

-- For the erasure of a customer, which deletes events.
CREATE INDEX events_not_pending ON events (payment_id) WHERE delivery_status IS DISTINCT FROM 'pending';
