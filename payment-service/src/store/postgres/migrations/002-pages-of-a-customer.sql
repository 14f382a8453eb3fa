-- payments_by_customer stays, unlike in SQLite: the previous release needs it while it still runs, and PostgreSQL would sort
-- where SQLite merges.
CREATE INDEX payments_by_status_and_customer ON payments (notification_status, customer_id, payment_id);
