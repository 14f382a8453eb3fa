ALTER TABLE payments ADD COLUMN traceparent TEXT;
ALTER TABLE payments ADD COLUMN request_id TEXT;
