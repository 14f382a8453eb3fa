-- What became of payments: a feed to which events are only added, and their delivery to the webhook endpoint.
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT, -- none is given twice, also once the newest were deleted
  event_id TEXT NOT NULL UNIQUE,
  payment_id TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL, -- JSON
  created_at TEXT NOT NULL,
  delivery_status TEXT, -- pending, delivered or dead; null: it is not delivered
  tries INTEGER NOT NULL DEFAULT 0,
  reason TEXT, -- why the last try failed
  tried_at TEXT,
  due_at INTEGER -- of a pending delivery: when a worker claims it, in ms since the epoch
) STRICT;

CREATE INDEX events_due ON events (due_at) WHERE delivery_status = 'pending';
CREATE INDEX events_pending ON events (payment_id, number) WHERE delivery_status = 'pending';
CREATE INDEX events_dead ON events (created_at) WHERE delivery_status = 'dead';
