-- The running replicas of the services that use this database. Each renews its own row until it stops.
CREATE TABLE replicas (
  owner text NOT NULL,
  id text NOT NULL, -- of the process: two may have the same name
  name text NOT NULL,
  schema_version integer NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (owner, id)
);

-- A release with a lower schema version must not use the tables any more.
ALTER TABLE schema_versions ADD COLUMN runs_beside integer NOT NULL DEFAULT 0;
