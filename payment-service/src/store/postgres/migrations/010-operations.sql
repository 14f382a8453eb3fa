ALTER TABLE payments ADD COLUMN actions jsonb; -- what operators have done about its notification; null if nothing

-- What holds for a provider in all replicas. Held: no SMS is offered to it.
CREATE TABLE provider_controls (
  provider text PRIMARY KEY,
  held_since timestamptz, -- null: not held
  held_until timestamptz, -- null: until it is released
  held_by text,
  hold_reason text,
  recoveries integer NOT NULL DEFAULT 0 -- raised by each recovery that an operator asks for: each replica then checks the provider
);

CREATE TABLE history (
  entry_id text COLLATE "C" PRIMARY KEY, -- begins with its time
  at timestamptz NOT NULL,
  kind text NOT NULL,
  provider text,
  replica text NOT NULL,
  by text,
  reason text
);
CREATE INDEX history_by_kind ON history (kind, entry_id);

-- Each process adds up in rows of its own.
CREATE TABLE statistics (
  hour timestamptz NOT NULL,
  process text COLLATE "C" NOT NULL,
  provider text NOT NULL, -- '' for what failed without one
  sums json NOT NULL,
  PRIMARY KEY (hour, process, provider)
);
