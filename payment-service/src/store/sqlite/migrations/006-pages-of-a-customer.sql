-- By status first, so that pending payments share few pages and each payment is written to a random page only once, when it is
-- sent. A customer's payments are read from it status by status: an index by customer alone would add one more random page to
-- each payment.
CREATE INDEX payments_by_status_and_customer ON payments (notification_status, customer_id, payment_id);
DROP INDEX payments_by_customer;
