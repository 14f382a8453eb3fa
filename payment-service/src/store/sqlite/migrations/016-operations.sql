ALTER TABLE payments ADD COLUMN actions TEXT; -- JSON: what operators have done about its notification; null if nothing

-- What holds for a provider. Held: no SMS is offered to it.
CREATE TABLE provider_controls (
  provider TEXT PRIMARY KEY,
  held_since TEXT, -- null: not held
  held_until TEXT, -- null: until it is released
  held_by TEXT,
  hold_reason TEXT,
  recoveries INTEGER NOT NULL DEFAULT 0 -- raised by each recovery that an operator asks for
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
  entry_id TEXT PRIMARY KEY, -- begins with its time
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  provider TEXT,
  replica TEXT NOT NULL,
  by TEXT,
  reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX history_by_kind ON history (kind, entry_id);

-- Each process adds up in rows of its own.
CREATE TABLE statistics (
  hour TEXT NOT NULL,
  process TEXT NOT NULL,
  provider TEXT NOT NULL, -- '' for what failed without one
  sums TEXT NOT NULL, -- JSON
  PRIMARY KEY (hour, process, provider)
) STRICT, WITHOUT ROWID;
