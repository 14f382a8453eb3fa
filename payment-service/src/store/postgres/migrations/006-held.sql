-- What waits for a bound, or is held after an unknown outcome, has a status of its own, which earlier releases cannot read.
UPDATE payments SET notification_status = 'held' WHERE notification_status = 'pending' AND reason IS NOT NULL;
DROP INDEX payments_waiting;
CREATE INDEX payments_held ON payments (reason) WHERE notification_status = 'held';

-- A release that knows no runs_beside starts on any schema, so that its own insert is what has to fail. NOT VALID, because the
-- version is written after the migration.
ALTER TABLE schema_versions ADD CONSTRAINT stop_replicas_of_earlier_releases
  CHECK (owner <> 'payment-service' OR version >= 6) NOT VALID;
