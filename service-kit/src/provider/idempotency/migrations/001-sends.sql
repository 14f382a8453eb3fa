CREATE TABLE sends (
  provider text NOT NULL,
  key text COLLATE "C" NOT NULL,
  digest text, -- null if it was cancelled before it came
  outcome jsonb, -- null while it runs
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (provider, key)
);
CREATE INDEX sends_by_age ON sends (begun_at);

-- Sends from before this table existed are unknown.
CREATE TABLE sends_since (at timestamptz NOT NULL);
INSERT INTO sends_since VALUES (clock_timestamp());
