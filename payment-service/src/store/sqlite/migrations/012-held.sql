-- What waits for a bound, or is held after an unknown outcome, has a status of its own, which earlier releases cannot read.
UPDATE payments SET notification_status = 'held' WHERE notification_status = 'pending' AND reason IS NOT NULL;
DROP INDEX payments_waiting;
CREATE INDEX payments_held ON payments (reason) WHERE notification_status = 'held';
